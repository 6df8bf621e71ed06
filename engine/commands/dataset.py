"""`rasterlasso dataset`: a digitized layer as a data set for training other models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...contract.datasets import FORMATS, ChipWritten, ExportDatasetParams
from .. import api
from ..tasks.table import TASKS
from .terminal import Progress, numbers

HELP = "export a digitized layer with its imagery for training other models"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Write chips of the imagery with the layer's polygons as labels: YOLO's segmentation or COCO's instances. Chips for "
        "validation lie in blocks of their own, and no object is in both parts. All that there is in the area is taken to be "
        "digitized: what is not is learnt as background."
    )
    command.add_argument("layer", metavar="LAYER", type=Path, help="a file of polygons")
    command.add_argument("--image", metavar="IMAGE", required=True, help="the raster that they were digitized from")
    command.add_argument("--layer-name", metavar="NAME", help="the layer within the file (default: the only one)")
    command.add_argument("--format", choices=FORMATS, default="yolo", help="(default: %(default)s)")
    command.add_argument("--class-field", metavar="FIELD", help="field that holds the class (default: one class)")
    command.add_argument(
        "--area", metavar="X0,Y0,X1,Y1", type=numbers(4), help="in the raster's CRS (default: the box around the polygons)"
    )
    command.add_argument("--chip", metavar="PIXELS", type=int, default=640, help="side of a chip (default: %(default)s)")
    command.add_argument("--level", type=int, default=0, help="0 is native resolution, each next one half of it")
    command.add_argument("--validation", metavar="SHARE", type=float, default=0.2, help="of the objects (default: %(default)s)")
    command.add_argument(
        "--background", metavar="SHARE", type=float, default=0.1, help="of chips without objects (default: %(default)s)"
    )
    command.add_argument("-o", "--output", metavar="FOLDER", type=Path, required=True, help="a new folder")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        params = ExportDatasetParams(
            str(arguments.layer),
            arguments.image,
            str(arguments.output),
            arguments.format,
            arguments.layer_name,
            arguments.class_field,
            arguments.area,
            arguments.chip,
            arguments.level,
            arguments.validation,
            arguments.background,
        )
    except ValueError as error:
        raise SystemExit(f"rasterlasso: {error}") from error
    shown, parts = Progress(sys.stderr), {False: 0, True: 0}
    with api.segmenter() as segmenter:
        for each in TASKS["export_dataset"].run(segmenter, params, lambda stage, fraction: None):
            if isinstance(each, ChipWritten):
                parts[each.is_validation] += 1
                shown(f"chip {each.number} of {each.count}", each.number / each.count)
    shown.clear()
    print(f"{arguments.output}: {parts[False]} chips to train on, {parts[True]} to validate on")
    return 0
