"""Texts in the user's language."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from ..contract.errors import RasterLassoError

CONTEXT = "RasterLasso"


def tr(text: str) -> str:
    """A literal in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)


def error_text(error: RasterLassoError) -> str:
    """What happened and what to do, in the user's language."""
    return QCoreApplication.translate(CONTEXT, error.template).format(**error.params)
