"""How layers that the plugin makes are drawn and labelled: a colour for each class, the imagery's owners in the metadata."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsCategorizedSymbolRenderer, QgsFillSymbol, QgsRendererCategory, QgsVectorLayer
from qgis.PyQt.QtCore import QVariant
from qgis.PyQt.QtGui import QColor

from ..translation import tr
from .classes import CLASS_FIELD

MARK = "rasterlasso/style"
"""Property of the layers whose style is ours to add to."""

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito's, which colour-blind people tell apart."""

STYLE_NAME = "Raster Lasso"

OTHER = "#ffffff"
FILL_ALPHA = 60


def style(layer: QgsVectorLayer) -> None:
    """Draw a new layer by its classes, of which it has none yet."""
    layer.setRenderer(QgsCategorizedSymbolRenderer(CLASS_FIELD, [QgsRendererCategory(QVariant(), _symbol(OTHER), tr("other"))]))
    layer.setCustomProperty(MARK, True)
    _save(layer)


def show_class(layer: QgsVectorLayer, name: Any) -> None:
    """Give a class that is new a colour of its own, where the style is still ours."""
    renderer = layer.renderer()
    is_ours = layer.customProperty(MARK) and isinstance(renderer, QgsCategorizedSymbolRenderer)
    if name in ("", None) or not is_ours or renderer.classAttribute() != CLASS_FIELD:
        return
    known = [each.value() for each in renderer.categories()]
    if name in known:
        return
    changed = renderer.clone()
    colour = COLOURS[(len(known) - 1) % len(COLOURS)]
    categories = [each for each in renderer.categories() if each.value() not in ("", None)]
    changed.deleteAllCategories()
    for each in (*categories, QgsRendererCategory(name, _symbol(colour), str(name))):
        changed.addCategory(each)
    changed.addCategory(QgsRendererCategory(QVariant(), _symbol(OTHER), tr("other")))
    layer.setRenderer(changed)
    layer.triggerRepaint()
    layer.emitStyleChanged()
    _save(layer)


def credit(layer: QgsVectorLayer, attribution: str) -> None:
    """Name the imagery's owners in the metadata of a layer that the plugin made."""
    metadata = layer.metadata()
    if attribution and layer.customProperty(MARK) and attribution not in metadata.rights():
        metadata.setRights([*metadata.rights(), attribution])
        layer.setMetadata(metadata)


def _symbol(colour: str) -> QgsFillSymbol:
    symbol = QgsFillSymbol.createSimple({"outline_color": colour, "outline_width": "0.5"})
    fill = QColor(colour)
    fill.setAlpha(FILL_ALPHA)
    symbol.setColor(fill)
    symbol.symbolLayer(0).setStrokeColor(QColor(colour))
    return symbol


def _save(layer: QgsVectorLayer) -> None:
    """Into the file, where it can hold a style; a project keeps it in any case."""
    if layer.providerType() != "ogr" or layer.dataProvider().storageType() != "GPKG":
        return
    count, ids, names, *_ = layer.listStylesInDatabase()
    for each, name in zip(ids[:count], names):  # those after the count are of other layers
        if name == STYLE_NAME:  # QGIS would ask whether it may be overwritten
            layer.deleteStyleFromDatabase(each)
    layer.saveStyleToDatabase(STYLE_NAME, "", True, "")
