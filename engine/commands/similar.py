"""`rasterlasso similar`: the rest of the features that are like some."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...contract.looks import PRESETS
from ...contract.prompts import Prompts
from ...contract.proposals import SimilarParams
from ...contract.requests import Shape
from ..segmenting.reproject import reprojected
from ..segmenting.session import Segmenter
from .objects import read_shapes
from .proposing import add_options, propose_and_write

HELP = "find features like those of a layer"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Find features like those of a layer. The field `likeness` says how probably each is one: review them, nobody has "
        "confirmed them. Those of the layer itself are left out."
    )
    add_options(command)
    command.add_argument("--like", metavar="LAYER", type=Path, required=True, help="a file of polygons of the kind")
    command.add_argument("--unlike", metavar="LAYER", type=Path, help="a file of polygons of what is not meant")
    command.add_argument("--least", metavar="LIKENESS", type=float, default=0.4, help="0 to 1 (default: %(default)s)")
    command.add_argument("--most", metavar="COUNT", type=int, default=10_000, help="so many at most (default: %(default)s)")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    def to_params(segmenter: Segmenter) -> SimilarParams:
        crs_wkt = segmenter.scene(arguments.image).source.crs_wkt
        examples = _shapes(arguments.like, crs_wkt, arguments.image)
        others = () if arguments.unlike is None else _shapes(arguments.unlike, crs_wkt, arguments.image)
        finish = PRESETS[arguments.finish]
        return SimilarParams(arguments.image, examples, others, arguments.area, arguments.model, None, finish, arguments.most)

    return propose_and_write("find_similar", arguments, to_params, arguments.least)


def _shapes(path: Path, crs_wkt: str | None, image: str) -> tuple[Shape, ...]:
    """In the raster's CRS; raises `LayerUnreadable`, `CrsMissing`."""
    shapes, crs, _ = read_shapes(path, None)
    if crs is None:
        return shapes
    placed = (reprojected(Prompts(polygon=each.wkb_hex), crs, crs_wkt, image).polygon for each in shapes)
    return tuple(Shape(number, wkb_hex) for number, wkb_hex in enumerate(placed) if wkb_hex is not None)
