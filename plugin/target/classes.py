"""The classes that a layer knows: of its field's value map, or of its categorized style."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsCategorizedSymbolRenderer, QgsVectorLayer

from .provenance import provenance_fields

CLASS_FIELD = "class"


def classes_of(layer: QgsVectorLayer) -> tuple[str, list[tuple[str, Any]]]:
    """The field that holds the class, and (shown, stored) for each; the usual field and no classes where nothing is known."""
    renderer = layer.renderer()
    if isinstance(renderer, QgsCategorizedSymbolRenderer) and _may_hold_class(layer, renderer.classAttribute()):
        shown = [
            (each.label() or str(each.value()), each.value())
            for each in renderer.categories()
            if each.value() not in (None, "") and not isinstance(each.value(), list)  # several values: which one is not known
        ]
        return renderer.classAttribute(), shown
    for index, field in enumerate(layer.fields()):
        setup = layer.editorWidgetSetup(index)
        if setup.type() == "ValueMap" and _may_hold_class(layer, field.name()):
            return field.name(), _entries(setup.config().get("map"))
    return CLASS_FIELD, []


def _may_hold_class(layer: QgsVectorLayer, name: str) -> bool:
    """A field called `class`, else any that is not for something else."""
    if layer.fields().lookupField(CLASS_FIELD) >= 0:
        return name == CLASS_FIELD
    return layer.fields().lookupField(name) >= 0 and name not in provenance_fields().names()


def _entries(value_map: Any) -> list[tuple[str, Any]]:
    """Of both forms that QGIS keeps them in: a dictionary, or a list of dictionaries of one entry."""
    maps = value_map if isinstance(value_map, list) else [value_map or {}]
    return [(shown, stored) for each in maps for shown, stored in each.items()]
