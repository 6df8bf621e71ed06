"""Data sets for training other models, and what these predict brought back onto the map."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.datasets import ExportDatasetParams, ImportPredictionsParams
from rasterlasso.contract.errors import DatasetTooSmall, DatasetUnreadable, LayerUnreadable, OutputUnwritable
from rasterlasso.engine import cli
from rasterlasso.engine.datasets.labels import coco_segmentation, of_coco_segmentation, of_yolo_line, yolo_lines
from rasterlasso.engine.outlines.contours import burnt
from rasterlasso.engine.tasks.table import TASKS

CHIP = 64
ROOFS = [(12 + 40 * (n % 9), 10 + 38 * (n // 9)) for n in range(63)]
"""Left and top pixel of each of 63 roofs of 20 by 16 px, some of which chips cut."""


def roof(left, top):
    x, y = 500_000 + 2 * left, 4_500_000 - 2 * top
    return shapely.box(x, y - 32, x + 40, y)


@pytest.fixture
def image(make_raster):
    picture = 60 + np.random.default_rng(3).integers(0, 14, (3, 300, 400))
    for left, top in ROOFS:
        picture[:, top : top + 16, left : left + 20] = 200
    return str(make_raster(picture.astype(np.uint8)))


@pytest.fixture
def layer(tmp_path):
    path = tmp_path / "roofs.gpkg"
    names = ["barn" if number % 3 else "Häuser" for number in range(len(ROOFS))]
    frame = geopandas.GeoDataFrame({"kind": names}, geometry=[roof(*each) for each in ROOFS], crs="EPSG:32613")
    frame.to_crs(4326).to_file(path)
    return str(path)


def run(segmenter, task, params):
    return list(TASKS[task].run(segmenter, params, lambda stage, fraction: None))


def chips(folder):
    return json.loads((folder / "chips.json").read_text(encoding="utf-8"))["chips"]


def predicted_as_labelled(folder, out):
    """Labels taken for predictions, all of them sure."""
    out.mkdir()
    for path in (folder / "labels").rglob("*.txt"):
        (out / path.name).write_text("".join(f"{line} 0.9\n" for line in path.read_text().splitlines()))
    return out


def test_yolo_labels_lie_where_the_roofs_are_and_come_back(segmenter, image, layer, tmp_path):
    folder = tmp_path / "data"
    written = run(segmenter, "export_dataset", ExportDatasetParams(layer, image, str(folder), class_field="kind", chip_px=CHIP))
    assert [each.number for each in written] == list(range(1, written[0].count + 1))
    yaml = (folder / "data.yaml").read_text(encoding="utf-8")
    assert "train: images/train" in yaml
    assert '0: "Häuser"' in yaml
    for name, each in chips(folder).items():
        with rasterio.open(folder / "images" / each["part"] / f"{name}.png") as chip:
            pixels = chip.read(1)
            assert chip.transform.almost_equals(Affine(*each["to_map"]))
        inside = np.zeros(pixels.shape, bool)
        size = (pixels.shape[1], pixels.shape[0])
        for line in (folder / "labels" / each["part"] / f"{name}.txt").read_text().splitlines():
            inside |= burnt(of_yolo_line(line, size)[1], pixels.shape)
        assert (pixels[inside] == 200).all()  # rows count from the top
    out = tmp_path / "back.gpkg"
    labelled = predicted_as_labelled(folder, tmp_path / "predicted")
    [told] = run(segmenter, "import_predictions", ImportPredictionsParams(str(folder), str(labelled), str(out)))
    back = geopandas.read_file(out)
    assert told.written == len(back) <= told.predicted
    assert back["score"].tolist() == pytest.approx([0.9] * len(back))
    whole = [each for each in back.geometry if any(each.symmetric_difference(roof(*place)).area < 9 for place in ROOFS)]
    assert len(whole) > 0.6 * len(back)  # where training and validation meet, chips were left out
    assert set(back["class"]) == {"Häuser", "barn"}


def test_no_object_is_in_both_parts(segmenter, image, layer, tmp_path):
    folder = tmp_path / "data"
    run(segmenter, "export_dataset", ExportDatasetParams(layer, image, str(folder), chip_px=CHIP, background_share=0))
    parts = {}
    for each in chips(folder).values():
        x0, y0 = Affine(*each["to_map"]) @ (0, 0)
        x1, y1 = Affine(*each["to_map"]) @ tuple(each["size"])
        box = shapely.box(x0, y1, x1, y0)
        for place in ROOFS:
            if roof(*place).intersection(box).area > 0.1 * roof(*place).area:
                parts.setdefault(place, set()).add(each["part"])
    assert {"train", "val"} == set().union(*parts.values())
    assert all(len(found) == 1 for found in parts.values())
    count = sum(found == {"val"} for found in parts.values())
    assert 0.1 < count / len(parts) < 0.5


def test_coco_files_name_each_chip_and_come_back(segmenter, image, layer, tmp_path):
    folder = tmp_path / "data"
    params = ExportDatasetParams(layer, image, str(folder), "coco", class_field="kind", chip_px=CHIP)
    run(segmenter, "export_dataset", params)
    train = json.loads((folder / "annotations" / "train.json").read_text(encoding="utf-8"))
    assert {each["name"] for each in train["categories"]} == {"Häuser", "barn"}
    assert all((folder / "images" / "train" / each["file_name"]).exists() for each in train["images"])
    results = [
        {key: each[key] for key in ("image_id", "category_id", "segmentation")} | {"score": 0.8}
        for each in train["annotations"]
    ]
    path, out = tmp_path / "results.json", tmp_path / "back.fgb"
    path.write_text(json.dumps(results))
    run(segmenter, "import_predictions", ImportPredictionsParams(str(folder), str(path), str(out)))
    back = geopandas.read_file(out)
    assert len(back) > 20
    assert all(any(each.intersection(roof(*place)).area > 0.95 * each.area for place in ROOFS) for each in back.geometry)


def test_backgrounds_only_where_all_is_digitized(segmenter, image, tmp_path):
    layer = tmp_path / "two.gpkg"
    geopandas.GeoDataFrame(geometry=[roof(*ROOFS[0]), roof(*ROOFS[-1])], crs="EPSG:32613").to_file(layer)
    area = (500_000, 4_500_000 - 600, 500_000 + 400, 4_500_000)
    params = ExportDatasetParams(
        str(layer), image, str(tmp_path / "data"), chip_px=CHIP, area=area, validation_share=0, background_share=1
    )
    written = run(segmenter, "export_dataset", params)
    assert sum(each.objects == 0 for each in written) == sum(each.objects > 0 for each in written)
    for each in chips(tmp_path / "data").values():
        x, _ = Affine(*each["to_map"]) @ (0, 0)
        assert x < area[2]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"class_field": "nonesuch"}, LayerUnreadable),
        ({"chip_px": 640}, DatasetTooSmall),
        ({"layer": "/nonexistent.gpkg"}, LayerUnreadable),
    ],
)
def test_what_can_not_become_a_data_set_is_refused_and_leaves_nothing(segmenter, image, layer, tmp_path, change, error):
    params = {"layer": layer, "image": image, "folder": str(tmp_path / "data"), "chip_px": CHIP, **change}
    with pytest.raises(error):
        run(segmenter, "export_dataset", ExportDatasetParams(**params))
    assert not (tmp_path / "data").exists()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_a_folder_with_something_in_it_is_left_alone(segmenter, image, layer, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputUnwritable, match="choose a new folder"):
        run(segmenter, "export_dataset", ExportDatasetParams(layer, image, str(folder), chip_px=CHIP))
    assert [each.name for each in folder.iterdir()] == ["mine.txt"]


def test_predictions_that_are_none_are_refused(segmenter, image, layer, tmp_path):
    folder, bad, out = tmp_path / "data", tmp_path / "bad", str(tmp_path / "out.gpkg")
    run(segmenter, "export_dataset", ExportDatasetParams(layer, image, str(folder), chip_px=CHIP))
    bad.mkdir()
    for text in ("0 0.1 0.1", "0 a b c d e f", "", "0 nan 0 0 1 1 1"):
        (bad / f"{next(iter(chips(folder)))}.txt").write_text(text)
        with pytest.raises(LayerUnreadable):
            run(segmenter, "import_predictions", ImportPredictionsParams(str(folder), str(bad), out))
    (tmp_path / "bad.json").write_text('[{"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 4], "counts": "~"}}]')
    with pytest.raises(LayerUnreadable):
        run(segmenter, "import_predictions", ImportPredictionsParams(str(folder), str(tmp_path / "bad.json"), out))
    with pytest.raises(DatasetUnreadable):
        run(segmenter, "import_predictions", ImportPredictionsParams(str(bad), str(bad), out))


def test_the_verbs_write_a_data_set_and_bring_predictions_back(image, layer, tmp_path, capsys):
    folder, out = tmp_path / "data", tmp_path / "back.gpkg"
    given = ["dataset", layer, "--image", image, "--chip", str(CHIP), "--class-field", "kind", "-o", str(folder)]
    assert cli.main(given) == 0
    assert "to validate on" in capsys.readouterr().out
    labelled = predicted_as_labelled(folder, tmp_path / "predicted")
    assert cli.main(["predictions", str(folder), str(labelled), "-o", str(out)]) == 0
    assert len(geopandas.read_file(out)) > 20
    with pytest.raises(SystemExit, match="chips of 32 pixels at least"):
        cli.main([*given[:-1], str(tmp_path / "other"), "--chip", "8"])


SIZE = (40, 30)


@st.composite
def polygons(draw):
    """With parts and holes, inside a chip."""
    x, y = draw(st.floats(1, 10)), draw(st.floats(1, 8))
    outer = shapely.box(x, y, x + draw(st.floats(8, 14)), y + draw(st.floats(8, 12)))
    hole = shapely.Point(outer.centroid).buffer(draw(st.floats(0.6, 3)), quad_segs=3)
    shape = outer.difference(hole) if draw(st.booleans()) else outer
    other = shapely.box(30, 20, draw(st.floats(32, 40)), draw(st.floats(22, 30)))
    return shapely.union_all([shape, other]) if draw(st.booleans()) else shape


@given(polygons())
def test_yolo_lines_come_back(polygon):
    parts = [of_yolo_line(line, SIZE) for line in yolo_lines(polygon, 3, SIZE)]
    assert all(number == 3 and score == 1 for number, _, score in parts)
    back = shapely.union_all([part for _, part, _ in parts])
    assert back.symmetric_difference(polygon).area < 0.01


@given(polygons())
def test_coco_segmentations_come_back(polygon):
    kept = json.loads(json.dumps(coco_segmentation(polygon, SIZE)))
    back = of_coco_segmentation(kept)
    within = 0.01 * polygon.length if isinstance(kept, list) else 0.5 * polygon.length
    assert back.symmetric_difference(polygon).area <= within
