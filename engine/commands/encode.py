"""`rasterlasso encode`: tiles ahead of all clicks."""

from __future__ import annotations

import argparse
import sys

from ...contract.answers import Encoded
from ...contract.chores import EncodeParams
from ...models import registry
from .. import api
from ..tasks.table import TASKS
from .terminal import Progress, numbers

HELP = "encode a raster's tiles ahead, so that no click waits for it"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Encode tiles and keep them on disk, where QGIS and the other commands find them. Interrupted, it goes on where it "
        "stopped. The folder is RASTERLASSO_CACHE, or one of your caches; it can be copied to another machine."
    )
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    command.add_argument("--model", default=registry.DEFAULT_MODEL, help="see `rasterlasso models` (default: %(default)s)")
    command.add_argument(
        "--levels",
        metavar="A,B,…",
        type=_levels,
        help="0 is native resolution, each next one half of it (default: 0 and coarser)",
    )
    command.add_argument("--area", metavar="X0,Y0,X1,Y1", type=numbers(4), help="in the raster's CRS (default: all)")
    command.set_defaults(run=_encode)


def _encode(arguments: argparse.Namespace) -> int:
    params = EncodeParams(arguments.image, arguments.model, arguments.levels, arguments.area)
    total, shown = 0, Progress(sys.stderr)
    with api.segmenter() as segmenter:
        for each in TASKS["encode"].run(segmenter, params, lambda stage, fraction: None):
            if isinstance(each, Encoded):
                total = each.total
                shown(f"tile {each.done} of {total}", each.done / total)
    shown.clear()
    print(f"{arguments.image}: {total} tiles are encoded")
    return 0


def _levels(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
