"""The command line `rasterlasso`: each verb is a module of `commands`; other packages add theirs by an entry point."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from importlib.metadata import entry_points

from ..contract.errors import RasterLassoError
from ..contract.version import version
from . import worker
from .commands import (
    boxes,
    dataset,
    detect,
    doctor,
    encode,
    everything,
    models,
    predictions,
    refine,
    replay,
    run,
    segment,
    similar,
)
from .commands.terminal import EXIT_FAILED, EXIT_INTERRUPTED, join_coordinates

EXIT_PIPE_CLOSED = 141
"""As the shell has it for programs that a closed pipe ends."""

VERBS = {
    "segment": segment,
    "boxes": boxes,
    "refine": refine,
    "everything": everything,
    "similar": similar,
    "detect": detect,
    "dataset": dataset,
    "predictions": predictions,
    "encode": encode,
    "replay": replay,
    "models": models,
    "run": run,
    "serve": worker,
    "doctor": doctor,
}

ENTRY_POINTS = "rasterlasso.commands"
"""Each names a module with `HELP` and `add`, as those of `commands` have."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 on an error (one line on standard error), 130 on Ctrl+C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need be no UTF-8
    arguments = _parser().parse_args(join_coordinates(sys.argv[1:] if argv is None else argv))
    warnings.showwarning = _show_warning
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # nobody reads any more: nothing is left to say, at the end of the interpreter either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except RasterLassoError as error:
        print(f"rasterlasso: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("rasterlasso: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("rasterlasso", description="Segment features of satellite and aerial imagery.")
    parser.add_argument("--version", action="version", version=f"rasterlasso {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    others = {entry.name: entry.load() for entry in entry_points(group=ENTRY_POINTS)}
    for name, verb in {**VERBS, **others}.items():
        verb.add(commands.add_parser(name, help=verb.HELP))
    return parser


def _show_warning(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
    if issubclass(category, UserWarning):
        print(f"rasterlasso: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
