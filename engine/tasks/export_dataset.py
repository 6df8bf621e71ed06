"""A digitized layer with its imagery as a data set for training other models."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas
import numpy as np
import pandas
import shapely
from affine import Affine

from ...contract.datasets import ChipWritten, ExportDatasetParams
from ...contract.errors import CrsMissing, CrsUnknown, LayerUnreadable, OutputUnwritable
from ..datasets.chips import Chip, Labelled, Lattice, chips_of, chosen
from ..datasets.folder import DatasetFolder
from ..encoding.clock import Checkpoint
from ..files.reading import read_layer
from ..outlines.contours import polygonal
from ..rasters.scene import Scene
from ..segmenting.session import Segmenter

ONE_CLASS = "object"
"""Name of the class where the layer has none."""


def run(segmenter: Segmenter, params: ExportDatasetParams, checkpoint: Checkpoint) -> Iterator[ChipWritten]:
    """Each chip as it is written; the folder appears once it is whole.

    Raises `LayerUnreadable`, `RasterError`s, `CrsMissing`, `DatasetTooSmall`, `OutputUnwritable`, and what `checkpoint` does.
    """
    folder = Path(params.folder)
    scene = segmenter.scene(params.image, params.stretch)
    objects, classes = _labelled(params, scene)
    bounds = _bounds(params, scene, objects)
    chips = chips_of(scene.source, Lattice.over(scene.source, bounds, params.chip_px, params.level), objects)
    wanted = chosen(chips, params.validation_share, params.background_share)
    with _put_when_whole(folder) as place:
        made = DatasetFolder(place, params.format, params.image, scene.source.crs_wkt, classes)
        for number, chip in enumerate(wanted, 1):
            checkpoint("read", (number - 1) / len(wanted))
            pixels, _ = scene.radiometry.render(scene.source, chip.window)
            made.add(chip, np.ascontiguousarray(pixels), _to_map(chip, scene))
            yield ChipWritten(number, len(wanted), len(chip.objects), chip.is_validation)
        made.finish()


def _labelled(params: ExportDatasetParams, scene: Scene) -> tuple[list[Labelled], list[str]]:
    """The layer's polygons in native pixels, and the names of their classes."""
    frame = _in_crs_of(scene, read_layer(Path(params.layer), params.layer_name), params)
    names = _class_names(frame, params)
    classes = sorted(set(names))
    objects = []
    for number, (shape, name) in enumerate(zip(frame.geometry, names, strict=True)):
        placed = None if shape is None or shape.is_empty else polygonal(shapely.transform(shape, scene.source.to_pixel))
        if placed is not None:
            objects.append(Labelled(number, classes.index(name), placed))
    if not objects:
        raise LayerUnreadable(path=params.layer, reason="no feature of it is a polygon")
    return objects, classes


def _in_crs_of(scene: Scene, frame: geopandas.GeoDataFrame, params: ExportDatasetParams) -> geopandas.GeoDataFrame:
    wkt = scene.source.crs_wkt
    if frame.crs is None or (wkt is None and frame.crs is None):
        return frame
    if wkt is None:
        raise CrsMissing(path=params.image)
    try:
        return frame.to_crs(wkt)
    except (ValueError, RuntimeError) as error:
        raise CrsUnknown(crs=str(frame.crs)) from error


def _class_names(frame: geopandas.GeoDataFrame, params: ExportDatasetParams) -> list[str]:
    """Of each feature; raises `LayerUnreadable` where there is no such field."""
    if params.class_field is None:
        return [ONE_CLASS] * len(frame)
    if params.class_field not in frame.columns:
        raise LayerUnreadable(path=params.layer, reason=f"it has no field {params.class_field}")
    return [ONE_CLASS if pandas.isna(value) or value == "" else str(value) for value in frame[params.class_field]]


def _bounds(params: ExportDatasetParams, scene: Scene, objects: list[Labelled]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in native pixels of what has been digitized."""
    shape = shapely.multipolygons([part for each in objects for part in shapely.get_parts(each.polygon)])
    if params.area is not None:
        shape = shapely.transform(shapely.box(*params.area), scene.source.to_pixel)
    left, top, right, bottom = (float(side) for side in shape.bounds)
    if not all(math.isfinite(side) for side in (left, top, right, bottom)):
        raise LayerUnreadable(path=params.layer, reason="its features can't be placed on the raster")
    return left, top, right, bottom


def _to_map(chip: Chip, scene: Scene) -> Affine:
    scale, window = chip.window.scale_xy, chip.window
    return scene.source.transform @ Affine.translation(window.x0, window.y0) @ Affine.scale(*scale)


@contextmanager
def _put_when_whole(folder: Path) -> Iterator[Path]:
    """A place beside a new or empty folder, which becomes it; raises `OutputUnwritable`."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputUnwritable(path=str(folder), reason="there is something already; choose a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".rasterlasso-", dir=folder.parent))
        try:
            yield place
            if folder.exists():
                folder.rmdir()
            place.chmod(0o755)
            place.rename(folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    except OSError as error:
        raise OutputUnwritable(path=str(folder), reason=error.strerror or str(error)) from error
