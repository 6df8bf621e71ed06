"""Errors of the tree as they come from the pipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import elsewhere_errors, model_errors  # noqa: F401 - their classes are found in the tree
from .errors import InternalError, RasterLassoError


def error_from_wire(code: str, params: Mapping[str, Any]) -> RasterLassoError:
    """The error that `code` and `params` name; `InternalError` where the code is not known on this side."""
    error = _tree(RasterLassoError).get(code)
    if error is None:
        return InternalError(reason=f"{code} {dict(params)}")
    try:
        return error(**params)
    except (KeyError, IndexError, TypeError, ValueError):  # of another version: its text wants other parameters
        return InternalError(reason=f"{code} {dict(params)}")


def _tree(root: type[RasterLassoError]) -> dict[str, type[RasterLassoError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found
