"""`rasterlasso refine`: rough outlines made exact."""

from __future__ import annotations

import argparse

from .objects import add_of_layer

HELP = "find the exact outline for each rough polygon of a layer"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_of_layer(command, "refine_polygons", "a file of polygons, each a rough outline of one object")
