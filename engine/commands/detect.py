"""`rasterlasso detect`: all features of the classes that a model was trained on."""

from __future__ import annotations

import argparse

from ...contract.looks import PRESETS
from ...contract.proposals import DetectParams
from ..segmenting.session import Segmenter
from .objects import add_level
from .proposing import add_options, add_scheduler, propose_and_write

HELP = "detect all features of the classes that a model was trained on"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Detect all features of the classes that a model was trained on: a YOLO26 for segmentation with your own weights, or "
        "FastSAM, which finds anything. The fields `class` and `score` say what each is: nobody has confirmed them."
    )
    add_options(command)
    add_level(command)
    command.add_argument("--classes", metavar="NAMES", help="those that are wanted, separated by commas (default: all)")
    command.add_argument("--least", metavar="SCORE", type=float, default=0.3, help="0 to 1 (default: %(default)s)")
    add_scheduler(command)
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    def to_params(segmenter: Segmenter) -> DetectParams:
        classes = None if arguments.classes is None else tuple(name.strip() for name in arguments.classes.split(","))
        return DetectParams(
            arguments.image,
            arguments.model,
            arguments.level or 0,
            arguments.area,
            finish=PRESETS[arguments.finish],
            least_score=arguments.least,
            classes=classes,
            scheduler=arguments.scheduler,
        )

    return propose_and_write("detect_classes", arguments, to_params, 0.0)
