"""`rasterlasso models`: list, add, fetch, accelerate, verify and remove."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TypeVar

from ...contract.answers import Done, ModelAdded, ModelMeasured
from ...contract.chores import AddModelParams, ModelParams
from ...contract.wire import Wire
from ...models import registry
from ...models.library import weights
from ...models.library.published import PUBLISHED, published
from ..tasks.table import CHORES
from .terminal import DownloadProgress

Answer = TypeVar("Answer", bound=Wire)

HELP = "list, add and remove models"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.set_defaults(run=_list_models)
    actions = command.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="what there is (this is also what `models` alone does)")
    add = actions.add_parser("add", help="copy a model among ours")
    add.add_argument(
        "path", metavar="PATH", type=Path, help="a folder with config.json and model.safetensors, or the authors' .pt or .pth"
    )
    add.add_argument("--name", help="what to call it (default: the name of the folder or file)")
    add.set_defaults(run=_add_model)
    get = actions.add_parser("get", help="download published weights and add them")
    get.add_argument(
        "name", metavar="NAME", choices=[each.name for each in PUBLISHED], help=", ".join(p.name for p in PUBLISHED)
    )
    get.add_argument("--yes", action="store_true", help="do not ask about hashes that are not known here")
    get.set_defaults(run=_get_model)
    for name, run, description in (
        ("accelerate", _accelerate_model, "convert its encoder for OpenVINO, and use that from then on if it is faster here"),
        ("verify", _verify_model, "compare a model's files with the hashes noted when it was added"),
        ("remove", _remove_model, "delete an added model"),
    ):
        action = actions.add_parser(name, help=description)
        action.add_argument("name", metavar="NAME")
        action.set_defaults(run=run)


def _list_models(arguments: argparse.Namespace) -> int:
    for each in registry.entries():
        print(f"{each.name}\t{each.title}\t{each.licence}\t{each.description}")
    return 0


def _add_model(arguments: argparse.Namespace) -> int:
    added = _done("add_model", AddModelParams(str(arguments.path), arguments.name), ModelAdded)
    print(f"added {added.name}, SHA-256 of its weights {added.sha256}")
    return 0


def _get_model(arguments: argparse.Namespace) -> int:
    wanted = published(arguments.name)
    print(f"{wanted.repository}, licence: {wanted.licence}", file=sys.stderr)
    shown = DownloadProgress(sys.stderr)

    def confirm(sha256: str) -> bool:
        shown.clear()
        print(f"SHA-256 of the weights: {sha256}\nIt is not known here. Compare it with the one on the hub.", file=sys.stderr)
        return arguments.yes or (sys.stdin.isatty() and input("Install? [y/N] ").strip().lower() == "y")

    added = registry.tried(weights.get(wanted, shown, confirm))
    shown.clear()
    print(f"added {added.name}")
    return 0


def _accelerate_model(arguments: argparse.Namespace) -> int:
    print("Converting and measuring: a minute or two.", file=sys.stderr)
    found = _done("accelerate_model", ModelParams(arguments.name), ModelMeasured)
    use = "OpenVINO is used from now on" if found.pays else "torch stays in use"
    print(f"torch {1000 * found.torch_seconds:.0f} ms a tile, OpenVINO {1000 * found.openvino_seconds:.0f} ms: {use}")
    return 0


def _verify_model(arguments: argparse.Namespace) -> int:
    _done("verify_model", ModelParams(arguments.name), Done)
    print(f"{arguments.name} is as it was added")
    return 0


def _remove_model(arguments: argparse.Namespace) -> int:
    _done("remove_model", ModelParams(arguments.name), Done)
    return 0


def _done(chore: str, params: Wire, answer: type[Answer]) -> Answer:
    found = CHORES[chore].run(params, lambda stage, fraction: None)
    if not isinstance(found, answer):
        raise TypeError(f"{chore} answers with a {type(found).__name__}")
    return found
