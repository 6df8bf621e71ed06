"""What verbs that segment many objects have in common: their options, and writing what a task finds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shapely import to_wkb

from ...contract.errors import LayerUnreadable
from ...contract.looks import PRESETS
from ...contract.recipe import Recipe
from ...contract.requests import SegmentObjectsParams, Shape, ShapesParams
from ...models import registry
from .. import api
from ..files.export import Record, check_output, write
from ..files.reading import read_layer
from ..tasks.segment_objects import Segmented
from ..tasks.table import TASKS
from .terminal import EXIT_FAILED, EXIT_INTERRUPTED, Progress


def add_common(command: argparse.ArgumentParser) -> None:
    """Options of model, outline and output."""
    command.add_argument("--model", default=registry.DEFAULT_MODEL, help="see `rasterlasso models` (default: %(default)s)")
    command.add_argument("--finish", choices=list(PRESETS), default="raw", help="outline style (default: %(default)s)")
    command.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=".gpkg, .shp, .geojson, .fgb or .parquet"
    )


def add_level(command: argparse.ArgumentParser) -> None:
    """Option of the level."""
    command.add_argument("--level", type=int, help="0 is native resolution, each next one half of it; negative ones oversample")


def segment_and_write(
    task: str, params: SegmentObjectsParams | ShapesParams, properties: Sequence[Mapping[str, Any]], output: Path
) -> int:
    """Run a task and write what it finds; the exit code.

    properties: of each object, by its number. An object that can't be found is told on standard error; the only one is raised.
    """
    check_output(output)
    records, shown = [], Progress(sys.stderr)
    with api.segmenter() as segmenter:
        crs_wkt = segmenter.scene(params.image, params.stretch).source.crs_wkt
        if crs_wkt is None:
            print(f"rasterlasso: {params.image} has no CRS; the polygons are in its own coordinates", file=sys.stderr)
        try:
            for item in TASKS[task].run(segmenter, params, shown):
                shown.clear()
                if isinstance(item, Segmented) and (record := _record(item, params, properties)) is not None:
                    records.append(record)
        except KeyboardInterrupt:
            if not records:
                raise
            shown.clear()
            print(f"rasterlasso: interrupted after {len(records)} of {len(properties)} objects", file=sys.stderr)
            is_interrupted = True
        else:
            is_interrupted = False
    if records:
        write(records, crs_wkt, output)
        print(f"{output}: {len(records)} polygon{'s' if len(records) > 1 else ''}")
    if is_interrupted:
        return EXIT_INTERRUPTED
    return 0 if len(records) == len(properties) else EXIT_FAILED


def _record(
    item: Segmented, params: SegmentObjectsParams | ShapesParams, properties: Sequence[Mapping[str, Any]]
) -> Record | None:
    """What is written of an object, after saying how it went."""
    number = item.id + 1
    if item.error is not None:
        if len(properties) == 1:
            raise item.error
        print(f"rasterlasso: object {number}: {item.error}", file=sys.stderr)
    if item.found is None:
        return None
    recipe = Recipe(item.prompts, params.crs, params.finish, params.stretch)
    record = Record.of(item.found, params.image, properties[item.id], recipe)
    area = "" if record.area_m2 is None else f", {record.area_m2:,.1f} m²"
    print(f"{number}: score {item.found.score:.2f}, level {item.found.level}{area}, {item.found.seconds:.2f} s")
    return record


def read_shapes(path: Path, layer: str | None) -> tuple[tuple[Shape, ...], str | None, list[dict[str, Any]]]:
    """Geometries of a file, their CRS ("EPSG:4326" or WKT, None where unknown), and the properties of each.

    Features without a geometry are left out. Raises `LayerUnreadable`.
    """
    frame = read_layer(path, layer)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if frame.empty:
        raise LayerUnreadable(path=str(path), reason="no feature of it has a geometry")
    shapes = tuple(Shape(number, to_wkb(shape, hex=True)) for number, shape in enumerate(frame.geometry))
    crs = None if frame.crs is None else frame.crs.to_string()
    return shapes, crs, frame.drop(columns=frame.geometry.name).to_dict("records")


def add_of_layer(command: argparse.ArgumentParser, task: str, what: str) -> None:
    """A verb that runs a task on the geometries of a file."""
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    command.add_argument("layer", metavar="LAYER", type=Path, help=what)
    command.add_argument("--layer-name", metavar="NAME", help="the layer within the file (default: the only one)")
    add_common(command)
    add_level(command)
    command.set_defaults(run=lambda arguments: _run_of_layer(task, arguments))


def _run_of_layer(task: str, arguments: argparse.Namespace) -> int:
    shapes, crs, properties = read_shapes(arguments.layer, arguments.layer_name)
    finish = PRESETS[arguments.finish]
    params = ShapesParams(arguments.image, shapes, crs, arguments.model, arguments.level, finish=finish)
    return segment_and_write(task, params, properties, arguments.output)
