"""`rasterlasso boxes`: an object in the box around each feature of a layer."""

from __future__ import annotations

import argparse

from .objects import add_of_layer

HELP = "segment one object in the box around each feature of a layer"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_of_layer(command, "segment_boxes", "a file of features; the box around each is drawn around one object")
