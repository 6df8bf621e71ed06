"""What a model predicted on the chips of a data set, as polygons in the raster's CRS: those that chips cut are joined."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from ...contract.datasets import ImportPredictionsParams, PredictionsRead
from ...contract.errors import LayerUnreadable
from ..datasets.folder import Manifest, PlacedChip
from ..datasets.labels import of_coco_segmentation, of_yolo_line
from ..encoding.clock import Checkpoint
from ..files.export import check_output, write_frame
from ..outlines.contours import polygonal
from ..rasters.ground import area_m2
from ..segmenting.session import Segmenter

SEAM_PX = 1.5
"""What ends so near a chip's edge is taken to be cut by it."""


@dataclass(frozen=True)
class Predicted:
    """polygon: in the raster's CRS. cut: what of it and around it lies at the chip's edge, empty where nothing does.

    pixel: side of a pixel of the chip in units of the CRS.
    """

    class_index: int
    score: float
    polygon: Polygon | MultiPolygon
    cut: shapely.Geometry
    pixel: float


def run(segmenter: Segmenter, params: ImportPredictionsParams, checkpoint: Checkpoint) -> Iterator[PredictionsRead]:
    """Reads all and writes the file; raises `DatasetUnreadable`, `LayerUnreadable`, as `export.write`, and as `checkpoint`."""
    output, path = Path(params.output), Path(params.predictions)
    check_output(output)
    manifest = Manifest.of(Path(params.dataset))
    try:
        lines = _of_coco(path, manifest) if path.is_file() else _of_yolo(path, manifest)
        predicted = []
        for number, each in enumerate(lines):
            if number % 100 == 0:
                checkpoint("read", 0.0)
            predicted.append(each)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise LayerUnreadable(path=str(path), reason=f"no predictions of YOLO's or COCO's form, {error}") from error
    if not predicted:
        raise LayerUnreadable(path=str(path), reason="there is no prediction for a chip of the data set")
    whole = _joined(predicted)
    crs = manifest.crs_wkt
    names = [_class_name(each.class_index, manifest) for each in whole]
    frame = geopandas.GeoDataFrame(
        {
            "class": names,
            "score": [round(each.score, 4) for each in whole],
            "area_m2": [area_m2(each.polygon, crs) for each in whole],
            "source": [manifest.image] * len(whole),
        },
        geometry=[each.polygon for each in whole],
        crs=crs,
    )
    write_frame(frame, output)
    yield PredictionsRead(len(predicted), len(whole))


def _of_yolo(folder: Path, manifest: Manifest) -> Iterator[Predicted]:
    """A file for each chip, in one folder or below it."""
    for path in sorted(folder.rglob("*.txt")):
        chip = manifest.chips.get(path.stem)
        if chip is None:
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                class_index, polygon, score = of_yolo_line(line, chip.size)
                yield from _placed(class_index, polygon, score, chip)


def _of_coco(path: Path, manifest: Manifest) -> Iterator[Predicted]:
    """A list of results, or a file of annotations."""
    body = json.loads(path.read_text(encoding="utf-8"))
    entries: list[dict[str, Any]] = body["annotations"] if isinstance(body, dict) else body
    for each in entries:
        chip = manifest.chips.get(manifest.ids.get(int(each["image_id"]), ""))
        if chip is not None:
            polygon = of_coco_segmentation(each["segmentation"])
            yield from _placed(int(each["category_id"]) - 1, polygon, float(each.get("score", 1.0)), chip)


def _placed(class_index: int, polygon: Polygon | MultiPolygon | None, score: float, chip: PlacedChip) -> Iterator[Predicted]:
    if polygon is None:
        return
    columns, rows = chip.size
    inside = shapely.box(SEAM_PX, SEAM_PX, columns - SEAM_PX, rows - SEAM_PX)
    cut = shapely.difference(polygon, inside).buffer(SEAM_PX)
    there = polygonal(_mapped(polygon, chip))
    if there is not None:
        yield Predicted(class_index, score, there, _mapped(cut, chip), abs(chip.to_map.determinant) ** 0.5)


def _mapped(shape: shapely.Geometry, chip: PlacedChip) -> shapely.Geometry:
    a, b, c, d, e, f = chip.to_map[:6]
    matrix, origin = np.array([[a, d], [b, e]]), np.array([c, f])
    return shapely.transform(shape, lambda xy: xy @ matrix + origin)


def _joined(predicted: list[Predicted]) -> list[Predicted]:
    """Those of one class that touch where chips cut them become one; its score is the mean by area."""
    whole: list[Predicted] = []
    for class_index in sorted({each.class_index for each in predicted}):
        of_class = [each for each in predicted if each.class_index == class_index]
        whole.extend(_as_one([of_class[index] for index in group]) for group in _groups(of_class))
    return whole


def _groups(predicted: list[Predicted]) -> list[list[int]]:
    """Indices of those that hang together across cuts."""
    cuts = np.array([each.cut for each in predicted], dtype=object)
    pairs = shapely.STRtree(cuts).query(cuts, "intersects").T
    root = list(range(len(predicted)))

    def top(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for one, other in pairs.tolist():
        root[top(one)] = top(other)
    groups: dict[int, list[int]] = {}
    for index in range(len(predicted)):
        groups.setdefault(top(index), []).append(index)
    return list(groups.values())


def _as_one(group: list[Predicted]) -> Predicted:
    if len(group) == 1:
        return group[0]
    areas = np.array([each.polygon.area for each in group])
    score = float((areas * [each.score for each in group]).sum() / areas.sum())
    seam = shapely.union_all([each.cut for each in group])
    both = shapely.union_all([each.polygon for each in group])
    reach = SEAM_PX * group[0].pixel
    closed = both.buffer(reach, join_style="mitre").buffer(-reach, join_style="mitre")
    joined = polygonal(shapely.union(both, shapely.intersection(closed, seam))) or group[0].polygon
    return replace(group[0], score=score, polygon=joined)


def _class_name(index: int, manifest: Manifest) -> str:
    return manifest.classes[index] if 0 <= index < len(manifest.classes) else str(index)
