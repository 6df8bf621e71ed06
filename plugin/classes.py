"""The classes that a layer knows: of its field's value map, or of its categorized style."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsCategorizedSymbolRenderer, QgsVectorLayer

CLASS_FIELD = "class"


def classes_of(layer: QgsVectorLayer) -> tuple[str, list[tuple[str, Any]]]:
    """The field that holds the class, and (shown, stored) for each; the usual field and no classes where nothing is known."""
    renderer = layer.renderer()
    if isinstance(renderer, QgsCategorizedSymbolRenderer) and layer.fields().lookupField(renderer.classAttribute()) >= 0:
        shown = [
            (each.label() or str(each.value()), each.value())
            for each in renderer.categories()
            if each.value() not in (None, "")
        ]
        return renderer.classAttribute(), shown
    for index, field in enumerate(layer.fields()):
        setup = layer.editorWidgetSetup(index)
        if setup.type() == "ValueMap" and (field.name() == CLASS_FIELD or layer.fields().lookupField(CLASS_FIELD) < 0):
            return field.name(), _entries(setup.config().get("map"))
    return CLASS_FIELD, []


def _entries(value_map: Any) -> list[tuple[str, Any]]:
    """Of both forms that QGIS keeps them in: a dictionary, or a list of dictionaries of one entry."""
    maps = value_map if isinstance(value_map, list) else [value_map or {}]
    return [(shown, stored) for each in maps for shown, stored in each.items()]
