"""PYQGIS_STARTUP: an error while QGIS loads a plugin is printed instead of shown in a dialog that nobody closes."""

import sys
import traceback
from typing import Any

import qgis.utils


def show_exception(kind: Any, value: Any, trace: Any, message: str, *more: object, **named: object) -> None:
    """Print it."""
    sys.stderr.write(f"{message}\n{''.join(traceback.format_exception(kind, value, trace))}")


qgis.utils.showException = show_exception
