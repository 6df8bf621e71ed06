"""Values as a field of the user's own layer stores them."""

from __future__ import annotations

from typing import Any

from qgis.core import NULL, QgsField
from qgis.PyQt.QtCore import QVariant

MOST_CHANGE = 0.005
"""A number that the field's type changes by a larger share is another number."""


def as_stored(field: QgsField, value: Any) -> Any:
    """A value in the field's type and length; raises `ValueError` where it does not fit, cut or rounded to something else."""
    if value == NULL:
        return value
    stored = field.convertCompatible(value)
    if stored == NULL:
        raise ValueError(f"{value!r} is nothing in the field {field.name()}")
    if field.type() == QVariant.Bool and not isinstance(value, bool):
        raise ValueError(f"{value!r} is no truth value for the field {field.name()}")
    is_number = field.isNumeric() and not isinstance(value, str)
    if is_number and abs(stored - value) > MOST_CHANGE * abs(value):
        raise ValueError(f"{value!r} would be {stored!r} in the field {field.name()}")
    if field.isNumeric() and field.length() and len(_written(field, stored)) > field.length():
        raise ValueError(f"{value!r} is too long for the field {field.name()}")
    return stored


def _written(field: QgsField, number: float) -> str:
    """As a text of fixed precision, as a shapefile has it."""
    return f"{number:.{field.precision()}f}" if field.precision() else str(int(number))
