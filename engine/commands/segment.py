"""`rasterlasso segment`: clicks or boxes on a raster to polygons in a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...contract.errors import PromptMissing
from ...contract.looks import PRESETS
from ...contract.prompts import Box, Point, Prompts
from ...contract.requests import ObjectPrompts, SegmentObjectsParams
from ..files.prompts_file import PromptedObject, read_prompts_file
from .objects import add_common, add_level, segment_and_write
from .terminal import numbers

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
        "--not",
        metavar="X,Y",
        type=numbers(2),
        action="append",
        default=[],
        dest="background",
        help="a background click, on what is not part of it",
    )
    command.add_argument("--box", metavar="X0,Y0,X1,Y1", type=numbers(4), help="a box around the object")
    command.add_argument("--prompts", metavar="FILE", type=Path, help="prompts of many objects, see below")
    command.add_argument("--crs", metavar="EPSG:n", help="CRS of the coordinates (default: the raster's)")
    add_common(command)
    add_level(command)
    command.set_defaults(run=_segment)


def _segment(arguments: argparse.Namespace) -> int:
    crs, objects = _objects(arguments)
    params = SegmentObjectsParams(
        arguments.image,
        tuple(ObjectPrompts(number, each.prompts) for number, each in enumerate(objects)),
        arguments.crs or crs,
        arguments.model,
        arguments.level,
        finish=PRESETS[arguments.finish],
    )
    return segment_and_write("segment_objects", params, [each.properties for each in objects], arguments.output)


def _objects(arguments: argparse.Namespace) -> tuple[str | None, list[PromptedObject]]:
    if arguments.prompts is not None:
        return read_prompts_file(arguments.prompts)
    points = [Point(x, y, True) for x, y in arguments.point] + [Point(x, y, False) for x, y in arguments.background]
    prompts = Prompts(tuple(points), None if arguments.box is None else Box(*arguments.box))
    if not prompts.has_foreground:
        raise PromptMissing()
    return None, [PromptedObject(prompts, {})]
