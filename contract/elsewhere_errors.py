"""Errors of work that is done on other machines, of the tree in `errors`."""

from __future__ import annotations

from .errors import QT_TRANSLATE_NOOP, RasterLassoError


class EngineCommandUnusable(RasterLassoError):
    """The setting that says how an engine on another machine is started."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The setting rasterlasso/engine_command can't be read ({reason}). Correct it in the advanced settings, or empty it for"
        " an engine on this machine.",
    )


class PathTableUnusable(RasterLassoError):
    """The setting that says which folders of this machine are which of the engine's."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "“{entry}” in the setting rasterlasso/engine_paths is not FOLDER HERE=FOLDER THERE. Correct it in the advanced"
        " settings; semicolons part the entries.",
    )


class SchedulerUnreachable(RasterLassoError):
    """Nothing answers at the address of a cluster."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "No Dask scheduler answers at {address} ({reason}). Start it with `dask scheduler`, check the address, or leave it out"
        " to work on this machine.",
    )


class SchedulerFailed(RasterLassoError):
    """A cluster could not do a tile."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The cluster could not do its work ({reason}). Its workers need the same version of Raster Lasso, and the imagery at"
        " the same path. What was finished is kept: the same run goes on from there.",
    )


class LibraryMissing(RasterLassoError):
    """A library that only some uses need."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "{needed_for} needs the library {library}, which is not installed. To install it: pip install {library}"
    )
