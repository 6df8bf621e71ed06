"""A run as a recipe: what was asked of which raster and which model, as text beside the result, to be repeated."""

from __future__ import annotations

import json
from pathlib import Path

from ...contract.errors import ProtocolError, RecipeUnreadable
from ...contract.proposals import RunRecipe
from ...contract.replacing import put_file
from ...contract.version import VERSION
from ...contract.wire import Wire

MOST_BYTES = 1 << 28
"""A larger file is no recipe."""


def read_recipe(path: Path) -> RunRecipe:
    """Raises `RecipeUnreadable`."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        return RunRecipe.from_wire(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, ProtocolError) as error:
        raise RecipeUnreadable(path=str(path), reason=str(error)) from error


def write_recipe(recipe: RunRecipe, output: Path) -> None:
    """Beside a result; raises `OutputUnwritable`."""
    text = json.dumps(recipe.to_wire(), indent=2, ensure_ascii=False) + "\n"
    put_file(output.with_name(f"{output.name}.recipe.json"), lambda made: _write(made, text))


def differences(before: RunRecipe, now: RunRecipe) -> list[str]:
    """What may make the result another one."""
    pairs = (
        ("the version of Raster Lasso", before.version, now.version),
        ("the model's weights", before.model, now.model),
        ("the imagery", before.image, now.image),
    )
    return [what for what, then, since in pairs if then != since]


def recipe_of(task: str, params: Wire, least_likeness: float, model: str, image: str | None) -> RunRecipe:
    """Of a run now."""
    return RunRecipe(task, params.to_wire(), least_likeness, VERSION, model, image)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
