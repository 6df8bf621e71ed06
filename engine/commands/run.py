"""`rasterlasso run`: a run done again, as the recipe beside its result says."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ...contract.errors import RecipeUnreadable
from ...contract.proposals import DetectParams, EverythingParams, RunRecipe, SimilarParams
from ..files.run_recipe import read_recipe
from ..tasks.table import TASKS
from .proposing import Params, check_recipe, write_proposals

HELP = "do a run again, as the recipe beside its result says"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Do a run of `everything`, `similar` or `detect` again. Where the imagery, the weights or the version are others than "
        "then, that is told."
    )
    command.add_argument("recipe", metavar="RECIPE", type=Path, help="a file that ends with .recipe.json")
    command.add_argument("--image", metavar="IMAGE", help="another raster (default: the recipe's)")
    command.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=".gpkg, .shp, .geojson, .fgb or .parquet"
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    recipe = read_recipe(arguments.recipe)
    params = _params(recipe, arguments.recipe)
    if arguments.image is not None:
        params = replace(params, image=arguments.image)
    check_recipe(recipe, params)
    return write_proposals(recipe.task, lambda segmenter: params, arguments.output, recipe.least_likeness)


def _params(recipe: RunRecipe, path: Path) -> Params:
    task = TASKS.get(recipe.task)
    if task is None or task.params not in (EverythingParams, SimilarParams, DetectParams):
        raise RecipeUnreadable(path=str(path), reason=f"there is no run {recipe.task!r:.40} to be done again")
    params: Params = task.params.from_wire(recipe.params)
    return params
