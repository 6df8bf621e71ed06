"""`rasterlasso bench`: measure models on labelled scenes. An entry point of the distribution names it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..contract.errors import BenchmarkUnavailable

HELP = "measure models on labelled scenes"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    benchmarks = command.add_subparsers(required=True, metavar="BENCHMARK")
    clicks = benchmarks.add_parser("clicks", help="how many clicks each labelled object takes")
    clicks.add_argument("scenes", metavar="SCENES_DIR", type=Path, help="a folder of scenes: NAME/image.tif, NAME/labels.gpkg")
    clicks.add_argument("--model", action="append", default=[], help="may be given several times (default: builtin)")
    clicks.add_argument("--baselines", action="store_true", help="also GrabCut, flood fill and random walker")
    clicks.add_argument("--learn", action="store_true", help="also let the models learn from object to object")
    clicks.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes at once; times are then not to be trusted"
    )
    clicks.add_argument("--limit", type=int, metavar="N", help="at most N objects of each scene, for a quick look")
    clicks.add_argument("--json", type=Path, metavar="FILE", help="all trials and figures")
    clicks.add_argument("--resume", action="store_true", help="keep what an interrupted run wrote to the --json file")
    clicks.add_argument("--pictures", type=Path, metavar="FOLDER", help="curves.png and contact-sheet.png")
    clicks.set_defaults(run=_bench_clicks)


def _bench_clicks(arguments: argparse.Namespace) -> int:
    try:
        from . import clicks

        return clicks.run(arguments)
    except ModuleNotFoundError as error:
        raise BenchmarkUnavailable(module=error.name or "its files") from error
