"""Asks whether what was left behind is wanted, without holding anything up."""

from __future__ import annotations

from collections.abc import Callable

from qgis.core import Qgis
from qgis.gui import QgsMessageBar, QgsMessageBarItem
from qgis.PyQt.QtWidgets import QPushButton

from ..translation import tr
from .files import LeftBehind


def offer(bar: QgsMessageBar, found: LeftBehind, restore: Callable[[], None], forget: Callable[[], None]) -> QgsMessageBarItem:
    """Show what was left behind until it is restored, forgotten, or put off to the next start."""
    item = bar.createMessage(tr("Raster Lasso"), told(found))
    for text, tip, name, do in (
        (tr("Restore"), tr("Puts them into their layers. Open their project first."), "RasterLassoRestore", restore),
        (tr("Forget"), tr("Deletes them for good."), "RasterLassoForget", forget),
    ):
        button = QPushButton(text, item)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.clicked.connect(lambda checked=False, do=do: do())
        item.layout().addWidget(button)
    bar.pushWidget(item, Qgis.MessageLevel.Warning)
    return item


def told(found: LeftBehind) -> str:
    """What was left behind, in words."""
    under_way = 0 if found.draft is None else 1
    text = tr("Left unsaved: {count} accepted or changed, {under_way} under way.")
    return text.format(count=len(found.accepted), under_way=under_way)
