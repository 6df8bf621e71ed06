"""What verbs that propose objects have in common: their options, and writing what a task finds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...contract.errors import RasterLassoError
from ...contract.proposals import DetectParams, EverythingParams, RunRecipe, SimilarParams
from ...contract.recipe import Recipe
from ...models import registry
from .. import api
from ..files.export import Record, check_output
from ..files.run_recipe import differences, recipe_of, write_recipe
from ..files.streaming import write_as_they_come
from ..segmenting.session import Segmenter
from ..tasks.proposed import Proposed
from ..tasks.table import TASKS, Item
from .objects import add_common
from .terminal import EXIT_FAILED, EXIT_INTERRUPTED, Progress, numbers

Params = EverythingParams | SimilarParams | DetectParams
ToParams = Callable[[Segmenter], Params]


def add_options(command: argparse.ArgumentParser) -> None:
    """The image, and options of model, outline, output and area."""
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    add_common(command)
    command.add_argument("--area", metavar="X0,Y0,X1,Y1", type=numbers(4), help="in the raster's CRS (default: all)")


def add_scheduler(command: argparse.ArgumentParser) -> None:
    """The option of jobs over many tiles."""
    told = "let a Dask cluster do the work; `local`: one of this machine's cores"
    command.add_argument("--scheduler", metavar="ADDRESS", help=told)


def propose_and_write(task: str, arguments: argparse.Namespace, to_params: ToParams, least_likeness: float) -> int:
    """As `write_proposals`, to the output among the arguments."""
    return write_proposals(task, to_params, arguments.output, least_likeness)


def write_proposals(task: str, to_params: ToParams, output: Path, least_likeness: float) -> int:
    """Run a task and write what it proposes with at least some likeness, and the recipe beside it; the exit code.

    Stopped by Ctrl+C or an error, it writes what was found until then.
    """
    check_output(output)
    shown = Progress(sys.stderr)
    with api.segmenter() as segmenter:
        params = to_params(segmenter)
        recipe = _recipe(task, params, segmenter, least_likeness)
        crs_wkt = segmenter.scene(params.image, params.stretch).source.crs_wkt
        can_go_on = segmenter.runs_folder is not None
        items = _UntilStopped(TASKS[task].run(segmenter, params, shown))
        likely = (item for item in items if isinstance(item, Proposed) and item.likeness >= least_likeness)
        count = write_as_they_come((_record(item, params) for item in likely), crs_wkt, output)
    shown.clear()
    if count:
        write_recipe(recipe, output)
        print(f"{output}: {count} polygon{'s' if count > 1 else ''}")
    if items.reason is not None:
        return _say_stopped(items.reason, count, can_go_on)
    if not count:
        print("rasterlasso: nothing was found. Try another size, or a lower threshold.", file=sys.stderr)
        return EXIT_FAILED
    return 0


def check_recipe(recipe: RunRecipe, params: Params) -> None:
    """Tell what is another one than when a recipe was written; raises as the run does."""
    with api.segmenter() as segmenter:
        now = _recipe(recipe.task, params, segmenter, recipe.least_likeness)
    if changed := differences(recipe, now):
        told = f"the result may differ, since {' and '.join(changed)} changed since the recipe was written"
        print(f"rasterlasso: {told}", file=sys.stderr)


def _recipe(task: str, params: Params, segmenter: Segmenter, least_likeness: float) -> RunRecipe:
    version, content = registry.entry(params.model).version, segmenter.scene(params.image, params.stretch).content
    anywhere = params if isinstance(params, SimilarParams) else replace(params, scheduler=None)
    return recipe_of(task, anywhere, least_likeness, version, content)


class _UntilStopped:
    """Items up to where Ctrl+C or an error stops them. reason: what did, None where nothing has."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self.reason: KeyboardInterrupt | RasterLassoError | None = None

    def __iter__(self) -> Iterator[Item]:
        try:
            yield from self._items
        except (KeyboardInterrupt, RasterLassoError) as reason:
            self.reason = reason


def _say_stopped(reason: KeyboardInterrupt | RasterLassoError, count: int, can_go_on: bool) -> int:
    """Tell why a run ended early, what is there of it and how it goes on; the exit code."""
    if not count:
        raise reason
    told = "interrupted" if isinstance(reason, KeyboardInterrupt) else str(reason)
    print(f"rasterlasso: {told}", file=sys.stderr)
    goes_on = "; the same command goes on from there" if can_go_on else ""
    print(f"rasterlasso: what was found until then is written{goes_on}", file=sys.stderr)
    return EXIT_INTERRUPTED if isinstance(reason, KeyboardInterrupt) else EXIT_FAILED


def _record(item: Proposed, params: Params) -> Record:
    recipe = Recipe(item.prompts, None, params.finish, params.stretch, item.choice)
    properties: dict[str, Any] = {"likeness": round(item.likeness, 4)}
    if isinstance(params, DetectParams):
        properties["class"] = item.class_name
    return Record.of(item.found, params.image, properties, recipe)
