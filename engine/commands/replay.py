"""`rasterlasso replay`: features asked again of other imagery."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...contract.answers import ReplayedFeature
from ...contract.chores import ReplayParams
from ...contract.looks import PRESETS
from .. import api
from ..files.export import check_output
from ..tasks.table import TASKS
from .terminal import Progress

HELP = "segment a layer's features again on other imagery or with another model"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Segment each feature of a layer again, by the prompts that it was made with (its field `prompts`), and write what is "
        "found beside the old layer, with the IoU of old and new: what has changed since."
    )
    command.add_argument("layer", metavar="LAYER", type=Path, help="a file that Raster Lasso's polygons were saved to")
    command.add_argument("--image", metavar="IMAGE", required=True, help="the raster to look at now")
    command.add_argument("--layer-name", metavar="NAME", help="the layer within the file (default: the only one)")
    command.add_argument("--model", help="see `rasterlasso models` (default: the one that each feature was made with)")
    command.add_argument(
        "--finish", choices=list(PRESETS), help="outline style (default: the one that each feature was made with)"
    )
    command.add_argument("-o", "--output", metavar="OUT", type=Path, help="default: beside LAYER, its name with -replayed")
    command.set_defaults(run=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    layer: Path = arguments.layer
    output = arguments.output or layer.with_name(f"{layer.stem}-replayed{layer.suffix}")
    check_output(output)
    finish = None if arguments.finish is None else PRESETS[arguments.finish]
    params = ReplayParams(str(layer), arguments.image, str(output), arguments.layer_name, arguments.model, finish)
    shown, count, ious = Progress(sys.stderr), 0, []
    with api.segmenter() as segmenter:
        for each in TASKS["replay"].run(segmenter, params, lambda stage, fraction: None):
            if isinstance(each, ReplayedFeature):
                count = each.count
                ious += [] if each.iou is None else [each.iou]
                shown(f"feature {each.number} of {count}", each.number / count)
    shown.clear()
    print(f"{output}: {len(ious)} of {count} found again, mean IoU with the old {sum(ious) / max(len(ious), 1):.2f}")
    return 0
