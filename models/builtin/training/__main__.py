"""`python -m rasterlasso.models.builtin.training run|status|curves|samples|pack`: see README.md in the folder above."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from ...devices import best_hardware
from .school import Options, default_folder, pack_run, status, teach
from .trainer import Settings


def main() -> int:
    """Run one of the commands."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m rasterlasso.models.builtin.training")
    parser.add_argument("--folder", type=Path, default=default_folder(), help="where the run is kept (RASTERLASSO_TRAINING)")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="begin, or go on where it was stopped")
    run.add_argument("data", type=Path, nargs="+", help="folders of labelled scenes")
    run.add_argument("--threads", type=int, default=2)
    run.add_argument("--disk-mb", type=int, default=500, help="the most that samples rendered ahead may take")
    run.add_argument("--steps", type=int, help="stop there")
    run.add_argument("--cycle", type=int, default=Settings.cycle, help="steps of the first cosine (%(default)s)")
    commands.add_parser("status", help="steps, samples seen, validation, hours")
    curves = commands.add_parser("curves", help="a picture of losses and validation")
    curves.add_argument("--out", type=Path, required=True)
    pack = commands.add_parser("pack", help="scenes and newest weights, to train on a machine with a GPU")
    pack.add_argument("--out", type=Path, required=True)
    samples = commands.add_parser("samples", help="a contact sheet of drawn samples with masks, clicks and answers before them")
    samples.add_argument("data", type=Path, nargs="+")
    samples.add_argument("--count", type=int, default=200)
    samples.add_argument("--family", help="of this family alone")
    samples.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "status":
        print(status(arguments.folder))
    elif arguments.command == "pack":
        print(pack_run(arguments.folder, arguments.out))
    elif arguments.command == "curves":
        from .curves import draw_curves

        draw_curves(arguments.folder, arguments.out)
    elif arguments.command == "samples":
        from .sheet import draw_sheet

        draw_sheet(tuple(arguments.data), arguments.folder, arguments.count, arguments.family, arguments.out)
    else:
        teach(
            Settings(bf16_decoder=best_hardware().is_half, cycle=arguments.cycle),
            Options(tuple(arguments.data), arguments.folder, arguments.threads, arguments.disk_mb * 1_000_000, arguments.steps),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
