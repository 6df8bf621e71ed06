"""`make pictures`: the documentation's pictures of the panel, made in the real QGIS with a lake under way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .__main__ import LAKE_AT, LAKE_VIEW, ROOT, SAMPLE, step
from .desktop import _NAMES, SIZE_PX, Desktop

IMAGES = ROOT / "docs" / "images"
NARROWEST_PX = 240


@dataclass(frozen=True)
class Picture:
    """Of QGIS's window. size_px: of the screen. settings, environment: as `Desktop` has them."""

    name: str
    size_px: tuple[int, int] = SIZE_PX
    panel_px: int = 300
    settings: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    unfolded: tuple[str, ...] = ("Outline", "Options")


PICTURES = (
    Picture("panel-narrow", panel_px=NARROWEST_PX, unfolded=("Outline", "Options", "Model")),
    Picture("panel-small-screen", size_px=(1366, 768)),
    Picture("panel-twofold", size_px=(2732, 1536), environment={"QT_SCALE_FACTOR": "2"}),
    Picture("panel-dark", settings="[UI]\nUITheme=Night Mapping\n"),
)


def main() -> int:
    """Make all pictures, or those that are named."""
    parser = argparse.ArgumentParser("demo.pictures")
    parser.add_argument("package", type=Path, help="the plugin's zip")
    parser.add_argument("--only", nargs="*", help="names of pictures")
    arguments = parser.parse_args()
    for picture in PICTURES:
        if arguments.only is None or picture.name in arguments.only:
            step(picture.name)
            make(picture, arguments.package)
    return 0


def make(picture: Picture, package: Path) -> None:
    """With one click on the lake, and what the model looks at framed."""
    engine_python = ROOT / "build" / "venv-engine" / "bin" / "python"
    with Desktop(package, engine_python, picture.size_px, picture.settings, picture.environment) as desktop:
        desktop.open_raster(SAMPLE, LAKE_VIEW)
        desktop.run(f"{_NAMES}lasso.action.trigger()")  # at twofold scale a pixel of Qt is not one of the mouse
        desktop.until("lasso.engine.state.value == 'ready'")
        desktop.run(
            f"{_NAMES}"
            "from qgis.gui import QgsCollapsibleGroupBox\n"
            "from qgis.PyQt.QtCore import Qt\n"
            "from qgis.PyQt.QtWidgets import QDockWidget\n"
            "for dock in iface.mainWindow().findChildren(QDockWidget):\n"
            "    dock.setVisible(dock is lasso.dock or dock.objectName() == 'Layers')\n"
            f"iface.mainWindow().resizeDocks([lasso.dock], [{picture.panel_px}], Qt.Orientation.Horizontal)\n"
            "for group in lasso.dock.findChildren(QgsCollapsibleGroupBox):\n"
            f"    group.setCollapsed(group.objectName().replace('RasterLasso', '') not in {picture.unfolded!r})\n"
            "lasso.dock.options.show_frame.setChecked(True)\n"
            "iface.messageBar().clearWidgets()\n"
        )
        desktop.look_at(LAKE_VIEW)
        desktop.run(f"{_NAMES}from qgis.core import QgsPointXY\nlasso.digitizer.click(QgsPointXY{LAKE_AT!r}, True)\n")
        desktop.until("lasso.digitizer.progress is None and lasso.digitizer.polygon is not None")
        desktop.screenshot(IMAGES / f"{picture.name}.png")


if __name__ == "__main__":
    sys.exit(main())
