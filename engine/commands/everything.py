"""`rasterlasso everything`: all features of about one size."""

from __future__ import annotations

import argparse
import math

from ...contract.looks import PRESETS
from ...contract.proposals import EverythingParams
from ..segmenting.session import Segmenter
from .proposing import add_options, add_scheduler, propose_and_write

HELP = "segment all features of about one size"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Segment all features of about one size. The fields `score` (the model's estimate of the overlap) and `likeness` "
        "(that, and how well the size fits) say which to look at: nobody has confirmed them."
    )
    add_options(command)
    size = command.add_mutually_exclusive_group(required=True)
    size.add_argument("--size", metavar="METRES", type=_positive, help="longer side of a typical feature")
    size.add_argument("--size-px", metavar="PIXELS", type=_positive, help="the same, in pixels of the raster")
    command.add_argument("--least", metavar="SCORE", type=float, default=0.3, help="0 to 1 (default: %(default)s)")
    told = "-1 for parts, 1 for wholes where both are found (default: the likelier one)"
    command.add_argument("--granularity", metavar="SHARE", type=_share, default=0.0, help=told)
    add_scheduler(command)
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    def to_params(segmenter: Segmenter) -> EverythingParams:
        return EverythingParams(
            arguments.image,
            arguments.size,
            arguments.size_px,
            arguments.area,
            arguments.model,
            finish=PRESETS[arguments.finish],
            least_score=arguments.least,
            scheduler=arguments.scheduler,
            granularity=arguments.granularity,
        )

    return propose_and_write("segment_everything", arguments, to_params, 0.0)


def _positive(text: str) -> float:
    found = float(text)
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no size")
    return found


def _share(text: str) -> float:
    found = float(text)
    if not -1 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between -1 and 1")
    return found
