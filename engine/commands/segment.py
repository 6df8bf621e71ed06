"""`rasterlasso segment`: clicks or boxes on a raster to polygons in a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...contract.errors import NothingFound, PromptError, PromptMissing
from ...contract.looks import PRESETS
from ...contract.prompts import Box, Point, Prompts
from ...models import registry
from .. import api
from ..files.export import Record, check_output, write
from ..files.prompts_file import PromptedObject, read_prompts_file
from .terminal import EXIT_FAILED, Progress, numbers

HELP = "clicks or boxes on a raster to polygons in a file"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Segment one object by --point, --not and --box, or many by --prompts, and write the polygons. X comes first "
        "(east, longitude), in the raster's CRS or in --crs."
    )
    command.epilog = (
        'A prompts file is JSON: {"crs": "EPSG:4326", "objects": [{"points": [[x, y, true], [x, y, false]], '
        '"box": [x0, y0, x1, y1], "properties": {"class": "lake"}}]}; crs, box and properties may be left out.'
    )
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    command.add_argument("--point", metavar="X,Y", type=numbers(2), action="append", default=[], help="a click on the object")
    command.add_argument(
        "--not", metavar="X,Y", type=numbers(2), action="append", default=[], dest="background", help="a click beside it"
    )
    command.add_argument("--box", metavar="X0,Y0,X1,Y1", type=numbers(4), help="a box around the object")
    command.add_argument("--prompts", metavar="FILE", type=Path, help="prompts of many objects, see below")
    command.add_argument("--crs", metavar="EPSG:n", help="CRS of the coordinates (default: the raster's)")
    command.add_argument("--model", default=registry.DEFAULT_MODEL, help="see `rasterlasso models` (default: %(default)s)")
    command.add_argument("--finish", choices=list(PRESETS), default="raw", help="how outlines are drawn (default: %(default)s)")
    command.add_argument("--level", type=int, help="0 is native resolution, each next one half of it; negative ones oversample")
    command.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=".gpkg, .shp, .geojson, .fgb or .parquet"
    )
    command.set_defaults(run=_segment)


def _segment(arguments: argparse.Namespace) -> int:
    check_output(arguments.output)
    crs, objects = _objects(arguments)
    with api.open(arguments.image, arguments.model, arguments.level) as scene:
        if scene.crs_wkt is None:
            print(f"rasterlasso: {arguments.image} has no CRS; the polygons are in its own coordinates", file=sys.stderr)
        records = []
        for number, each in enumerate(objects, 1):
            try:
                shown = Progress(sys.stderr, number, len(objects))
                found = _segment_object(scene, each, arguments.crs or crs, arguments.finish, shown)
            except (PromptError, NothingFound) as error:
                if len(objects) == 1:
                    raise
                print(f"rasterlasso: object {number}: {error}", file=sys.stderr)
                continue
            records.append(Record.of(found, str(arguments.image), each.properties, each.prompts, arguments.crs or crs))
            area = "" if records[-1].area_m2 is None else f", {records[-1].area_m2:,.1f} m²"
            print(f"{number}: score {found.score:.2f}, level {found.level}{area}, {found.seconds:.2f} s")
        if records:
            write(records, scene.crs_wkt, arguments.output)
            print(f"{arguments.output}: {len(records)} polygon{'s' if len(records) > 1 else ''}")
    return 0 if len(records) == len(objects) else EXIT_FAILED


def _segment_object(
    scene: api.Scene, each: PromptedObject, crs: str | None, finish: str, progress: Progress
) -> api.Segmentation:
    try:
        return scene.ask(each.prompts, crs, PRESETS[finish], progress)
    finally:
        progress.clear()


def _objects(arguments: argparse.Namespace) -> tuple[str | None, list[PromptedObject]]:
    if arguments.prompts is not None:
        return read_prompts_file(arguments.prompts)
    points = [Point(x, y, True) for x, y in arguments.point] + [Point(x, y, False) for x, y in arguments.background]
    prompts = Prompts(tuple(points), None if arguments.box is None else Box(*arguments.box))
    if not prompts.has_foreground:
        raise PromptMissing()
    return None, [PromptedObject(prompts, {})]
