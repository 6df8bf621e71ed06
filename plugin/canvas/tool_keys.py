"""Keys that are a map tool's own while it is active, whatever QGIS has them for."""

from __future__ import annotations

from collections.abc import Callable

from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtGui import QKeyEvent


class ToolKeys:
    """Stands before QGIS's class among the bases of a tool, which says in `_action` what each key does."""

    def _action(self, event: QKeyEvent) -> Callable[[], object] | None:
        """None for keys that are QGIS's."""
        raise NotImplementedError

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do what the key does; ignored here means done, by QGIS's convention for map tools."""
        action = self._action(event)
        if action is None:
            super().keyPressEvent(event)  # type: ignore[misc]
            return
        event.ignore()
        action()

    def claims(self, event: QEvent) -> bool:
        """Whether the canvas asks who wants a key, and the tool does: before QGIS's own shortcuts see it."""
        if event.type() == QEvent.Type.ShortcutOverride and self._action(event) is not None:
            event.accept()
            return True
        return False


def ends_hiding(event: QEvent) -> bool:
    """Whether H, which hides what lies over the imagery, is held no longer; what is released elsewhere is not told here."""
    is_released = event.type() == QEvent.Type.KeyRelease and event.key() == Qt.Key.Key_H and not event.isAutoRepeat()
    return is_released or event.type() == QEvent.Type.FocusOut
