"""The panel's own widgets under PyQt 6, where no QGIS is: its Qt is PyQt's, what else is QGIS's stands in by name alone."""

import os
import sys
import types
from pathlib import Path

import pytest
from PyQt6 import QtCore, QtGui, QtNetwork, QtWidgets, sip

os.environ["QT_QPA_PLATFORM"] = "offscreen"


class Named(type):
    """A class that has whatever is asked for, as names of QGIS's enumerations and types."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Named(name, (), {})

    def __or__(cls, other):
        return cls


class Names(types.ModuleType):
    """A module that has them."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        found = Named(name, (), {})
        setattr(self, name, found)
        return found


class GroupBox(QtWidgets.QGroupBox):
    """That of QGIS can be folded, and remembers it."""

    def setCollapsed(self, is_folded):
        self.setChecked(not is_folded)

    def setSettingGroup(self, name):
        self.setObjectName(f"{name}/{self.objectName()}")


class LayerComboBox(QtWidgets.QComboBox):
    """That of QGIS lists layers: here are none."""

    layerChanged = QtCore.pyqtSignal(object)

    def setFilters(self, kinds):
        pass

    def setAllowEmptyLayer(self, is_allowed, text=""):
        self.addItem(text)

    def setLayer(self, layer):
        pass

    def currentLayer(self):
        return None


class MapTool(QtCore.QObject):
    """That of QGIS has a canvas and a cursor."""

    def __init__(self, canvas):
        super().__init__()
        self._on = canvas

    def setCursor(self, cursor):
        self._on.setCursor(cursor)

    def canvas(self):
        return self._on

    def activate(self):
        pass

    def deactivate(self):
        pass

    def keyPressEvent(self, event):
        event.accept()

    def toMapCoordinates(self, place):
        return place


def _stand_in():
    pyqt, gui = types.ModuleType("qgis.PyQt"), Names("qgis.gui")
    for module in (QtCore, QtGui, QtNetwork, QtWidgets, sip):
        name = module.__name__.rsplit(".", 1)[1]
        setattr(pyqt, name, module)
        sys.modules[f"qgis.PyQt.{name}"] = module
    gui.QgsDockWidget, gui.QgsCollapsibleGroupBox = QtWidgets.QDockWidget, GroupBox
    gui.QgsMapLayerComboBox, gui.QgsMapTool = LayerComboBox, MapTool
    qgis = types.ModuleType("qgis")
    for name, module in (
        ("PyQt", pyqt),
        ("gui", gui),
        *((name, Names(f"qgis.{name}")) for name in ("analysis", "core", "utils")),
    ):
        setattr(qgis, name, module)
        sys.modules[f"qgis.{name}"] = module
    sys.modules["qgis"] = qgis


_stand_in()
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def application():
    return QtWidgets.QApplication([])


@pytest.fixture
def unhandled(monkeypatch):
    """What was raised in handlers, which Qt has nobody to tell."""
    found = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: found.append(error))
    return found
