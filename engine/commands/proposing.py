"""What verbs that propose objects have in common: their options, and writing what a task finds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ...contract.proposals import EverythingParams, SimilarParams
from ...contract.recipe import Recipe
from .. import api
from ..files.export import Record, check_output, write
from ..segmenting.session import Segmenter
from ..tasks.proposed import Proposed
from ..tasks.table import TASKS
from .objects import add_common
from .terminal import EXIT_FAILED, EXIT_INTERRUPTED, Progress, numbers

ToParams = Callable[[Segmenter], EverythingParams | SimilarParams]


def add_options(command: argparse.ArgumentParser) -> None:
    """The image, and options of model, outline, output and area."""
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    add_common(command)
    command.add_argument("--area", metavar="X0,Y0,X1,Y1", type=numbers(4), help="in the raster's CRS (default: all)")


def propose_and_write(task: str, arguments: argparse.Namespace, to_params: ToParams, least_likeness: float) -> int:
    """Run a task and write what it proposes with at least some likeness; the exit code.

    Interrupted, it writes what was found until then.
    """
    check_output(arguments.output)
    records, shown, is_interrupted = [], Progress(sys.stderr), False
    with api.segmenter() as segmenter:
        params = to_params(segmenter)
        crs_wkt = segmenter.scene(params.image, params.stretch).source.crs_wkt
        try:
            for item in TASKS[task].run(segmenter, params, shown):
                if isinstance(item, Proposed) and item.likeness >= least_likeness:
                    records.append(_record(item, params))
        except KeyboardInterrupt:
            if not records:
                raise
            is_interrupted = True
    shown.clear()
    if is_interrupted:
        print("rasterlasso: interrupted; what was found until then is written", file=sys.stderr)
    if not records:
        print("rasterlasso: nothing was found. Try another size, or a lower threshold.", file=sys.stderr)
        return EXIT_FAILED
    write(records, crs_wkt, arguments.output)
    print(f"{arguments.output}: {len(records)} polygon{'s' if len(records) > 1 else ''}")
    return EXIT_INTERRUPTED if is_interrupted else 0


def _record(item: Proposed, params: EverythingParams | SimilarParams) -> Record:
    recipe = Recipe(item.prompts, None, params.finish, params.stretch, item.choice)
    properties: dict[str, Any] = {"likeness": round(item.likeness, 4)}
    return Record.of(item.found, params.image, properties, recipe)
