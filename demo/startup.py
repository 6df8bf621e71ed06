"""PYQGIS_STARTUP: an error while QGIS loads a plugin is printed instead of shown in a dialog that nobody closes."""

import sys
import traceback

import qgis.utils


def show_exception(kind, value, trace, message, *more, **named):  # noqa: ANN001, ANN002, ANN003, ANN201
    """Print it."""
    sys.stderr.write(f"{message}\n{''.join(traceback.format_exception(kind, value, trace))}")


qgis.utils.showException = show_exception
