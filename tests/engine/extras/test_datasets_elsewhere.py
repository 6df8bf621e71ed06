"""Data sets that were exported are what the libraries that train on them expect."""

import geopandas
import numpy as np
import pytest
import shapely
from pycocotools.coco import COCO

from rasterlasso.contract.datasets import ExportDatasetParams, ImportPredictionsParams
from rasterlasso.contract.proposals import DetectParams
from rasterlasso.engine.tasks.table import TASKS
from rasterlasso.models.library import weights
from rasterlasso.models.ultralytics.library import library

CHIP = 96
PONDS = [(20 + 52 * (n % 10), 14 + 48 * (n // 10)) for n in range(60)]


@pytest.fixture
def digitized(make_raster, tmp_path):
    picture = 120 + np.random.default_rng(5).integers(0, 20, (3, 320, 540))
    shapes = []
    for left, top in PONDS:
        picture[:, top : top + 24, left : left + 30] = 30
        x, y = 500_000 + 2 * left, 4_500_000 - 2 * top
        island = shapely.box(x + 24, y - 32, x + 36, y - 16)
        shapes.append(shapely.box(x, y - 48, x + 60, y).difference(island))
    layer = tmp_path / "ponds.gpkg"
    geopandas.GeoDataFrame({"kind": ["pond"] * len(shapes)}, geometry=shapes, crs="EPSG:32613").to_file(layer)
    return str(layer), str(make_raster(picture.astype(np.uint8)))


@pytest.fixture
def export(segmenter, digitized, tmp_path):
    def export(kind):
        folder = tmp_path / kind
        layer, image = digitized
        params = ExportDatasetParams(layer, image, str(folder), kind, class_field="kind", chip_px=CHIP)
        return folder, list(TASKS["export_dataset"].run(segmenter, params, lambda stage, fraction: None))

    return export


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools itself
def test_pycocotools_reads_the_masks(export):
    folder, written = export("coco")
    for part, is_validation in (("train", False), ("val", True)):
        coco = COCO(folder / "annotations" / f"{part}.json")
        assert len(coco.getImgIds()) == sum(each.is_validation == is_validation for each in written)
        assert [each["name"] for each in coco.loadCats(coco.getCatIds())] == ["pond"]
        for each in coco.loadAnns(coco.getAnnIds()):
            assert coco.annToMask(each).sum() == pytest.approx(each["area"], rel=0.1, abs=4)


def detect(segmenter, weights_file, image):
    """With a model as a user adds it."""
    weights.add(weights_file, "ponds")
    params = DetectParams(image, "ponds", least_score=0.0)
    return list(TASKS["detect_classes"].run(segmenter, params, lambda stage, fraction: None))


@pytest.mark.filterwarnings("ignore")
def test_ultralytics_trains_on_it_and_its_predictions_come_back(export, segmenter, digitized, store, tmp_path, monkeypatch):
    folder, _ = export("yolo")
    monkeypatch.chdir(tmp_path)
    data = library("data.utils").check_det_dataset(str(folder / "data.yaml"))
    assert data["names"] == {0: "pond"}
    dataset = library("data").YOLODataset(data["train"], data=data, task="segment", imgsz=CHIP, augment=False)
    assert sum(len(each["cls"]) for each in dataset.labels) > 20
    assert all(len(each["segments"]) == len(each["cls"]) for each in dataset.labels)
    # torchvision's compiled operators are of another torch; the library has this one for machines without them
    monkeypatch.setattr("torchvision.ops.nms", library("utils.nms").TorchNMS.nms)
    model = library("models").YOLO("yolo26n-seg.yaml", verbose=False)
    fixed = {"epochs": 2, "imgsz": CHIP, "device": "cpu", "workers": 0, "batch": 8, "amp": False}
    model.train(data=str(folder / "data.yaml"), **fixed, plots=False, verbose=False, project=str(tmp_path / "runs"), name="run")
    told = model.predict(
        str(folder / "images" / "val"),
        conf=0.0,
        imgsz=CHIP,
        max_det=5,
        save_txt=True,
        save_conf=True,
        verbose=False,
        project=str(tmp_path / "runs"),
        name="found",
    )
    detected = detect(segmenter, tmp_path / "runs" / "run" / "weights" / "best.pt", digitized[1])
    assert all(each.class_name == "pond" for each in detected)
    out = tmp_path / "back.gpkg"
    params = ImportPredictionsParams(str(folder), str(tmp_path / "runs" / "found" / "labels"), str(out))
    [read] = TASKS["import_predictions"].run(segmenter, params, lambda stage, fraction: None)
    assert read.predicted == sum(len(each) for each in told)
    assert set(geopandas.read_file(out)["class"]) == {"pond"}
