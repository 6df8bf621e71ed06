"""`rasterlasso doctor`: whether the engine works here."""

from __future__ import annotations

import argparse

from ..tasks import doctor
from .terminal import EXIT_FAILED

HELP = "check that the engine works here"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments: there are none."""
    command.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    healthy = True
    for finding in doctor.examine():
        healthy &= finding.ok
        print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.detail}")
    return 0 if healthy else EXIT_FAILED
