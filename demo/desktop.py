"""Starts the QGIS desktop with the plugin from its zip in a fresh profile, and drives it by mouse and keyboard.

On the user's display where there is one, else on a virtual one (Xvfb). xdotool moves the mouse and types; code sent to
`remote.py` tells where things are and what came of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent
SIZE_PX = (1400, 900)
START_SECONDS = 90
REPLY_SECONDS = 60
SETTLE_SECONDS = 0.4

PROFILE = r"""
[PythonPlugins]
rasterlasso=true
[app]
askToSaveMemoryLayers=false
projections\unknownCrsBehavior=NoAction
[qgis]
askToSaveProjectChanges=false
checkVersion=false
[rasterlasso]
engine_python={engine_python}
"""


_NAMES = (
    "from qgis.PyQt.QtWidgets import QApplication, QPushButton, QToolButton\n"
    "from qgis.utils import iface, plugins\n"
    "lasso = plugins['rasterlasso']\n"
)

_MIDDLE = _NAMES + "widget = {}\nat = widget.mapToGlobal(widget.rect().center())\nresult = [at.x(), at.y()]"


class DesktopError(Exception):
    """QGIS did not do what was asked."""


class Desktop:
    """A running QGIS. Use as a context manager."""

    def __init__(
        self,
        package: Path,
        engine_python: Path | None,
        size_px: tuple[int, int] = SIZE_PX,
        settings: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """size_px: of QGIS's window, and of a virtual screen. settings: more of the profile's, as its file has them.
        environment: variables beside the caller's own.
        """
        self._size_px = size_px
        self._own_environment = environment or {}
        self._folder = Path(tempfile.mkdtemp(prefix="rasterlasso-desktop-"))
        self._remote = self._folder / "remote"
        self._remote.mkdir()
        (self._folder / "runtime").mkdir(mode=0o700)
        self._count = 0
        self._display = os.environ.get("DISPLAY", "")
        self._xvfb: subprocess.Popen[bytes] | None = None
        self._qgis: subprocess.Popen[bytes] | None = None
        self._make_profile(package, engine_python, settings)

    def __enter__(self) -> Desktop:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    @property
    def log(self) -> str:
        """What QGIS wrote to its standard error."""
        return (self._folder / "qgis.log").read_text(errors="replace")

    def run(self, code: str) -> Any:
        """Execute code on QGIS's thread; returns what it assigned to `result`."""
        self._count += 1
        part, request = self._remote / f"{self._count}.new", self._remote / f"{self._count}.py"
        part.write_text(code, encoding="utf-8")
        part.rename(request)
        reply_path = self._remote / f"{self._count}.json"
        self._wait(reply_path.exists, REPLY_SECONDS, f"an answer to\n{code}")
        reply = json.loads(reply_path.read_text(encoding="utf-8"))
        if "error" in reply:
            raise DesktopError(f"{reply['error']}\nin\n{code}")
        return reply["result"]

    def until(self, expression: str, seconds: float = 30) -> Any:
        """Wait until a Python expression is true inside QGIS; returns its value."""
        found: list[Any] = []

        def is_true() -> bool:
            found[:] = [self.run(f"{_NAMES}result = {expression}")]
            return bool(found[0])

        self._wait(is_true, seconds, f"{expression}, last {found}")
        return found[0]

    def press(self, x: int, y: int, button: int = 1, keys: str | None = None) -> None:
        """A real click at a place of the screen, with modifier keys held."""
        held = ["keydown", keys] if keys else []
        let_go = ["keyup", keys] if keys else []
        self._xdotool("mousemove", str(x), str(y), *held, "click", str(button), *let_go)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """A real drag with the left button."""
        self._xdotool("mousemove", *map(str, start), "mousedown", "1")
        middle = [(a + b) // 2 for a, b in zip(start, end, strict=True)]
        self._xdotool("mousemove", *map(str, middle), "mousemove", *map(str, end), "mouseup", "1")

    def pan_with_space(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Move the mouse with the space bar held."""
        self._xdotool("mousemove", *map(str, start), "keydown", "space")
        for tenth in range(1, 11):
            place = [round(a + (b - a) * tenth / 10) for a, b in zip(start, end, strict=True)]
            self._xdotool("mousemove", *map(str, place))
        self._xdotool("keyup", "space")

    def key(self, *keys: str) -> None:
        """Real key strokes, such as `ctrl+z`."""
        self._xdotool("key", "--delay", "60", *keys)

    def screenshot(self, path: Path) -> None:
        """The whole screen as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        time.sleep(SETTLE_SECONDS)
        subprocess.run(["import", "-window", "root", str(path)], check=True, env=self._environment)

    def open_raster(self, path: Path, view: tuple[float, float, float, float]) -> None:
        """Add a raster layer and look at a part of it: xmin, ymin, xmax, ymax in its CRS."""
        self.run(
            "from qgis.core import QgsProject, QgsRasterLayer, QgsRectangle\n"
            f"layer = QgsRasterLayer({str(path)!r}, {path.stem!r})\n"
            "assert layer.isValid()\n"
            "QgsProject.instance().addMapLayer(layer)\n"
            "QgsProject.instance().setCrs(layer.crs())\n"
            "iface.setActiveLayer(layer)"
        )
        # QGIS zooms to a project's first layer by itself, after the layer was added: look where we want only then.
        self.look_at(view)

    def look_at(self, view: tuple[float, float, float, float]) -> None:
        """Let the map show xmin, ymin, xmax, ymax in its CRS."""
        self.run(
            "from qgis.core import QgsRectangle\n"
            f"iface.mapCanvas().setExtent(QgsRectangle(*{view!r}))\n"
            "iface.mapCanvas().refresh()"
        )
        self.until("not iface.mapCanvas().isDrawing()")

    def press_toolbar_button(self) -> None:
        """Click on the plugin's button in the toolbar."""
        self.press_widget("[w for w in lasso.action.associatedWidgets() if isinstance(w, QToolButton)][0]")

    def press_widget(self, expression: str) -> None:
        """Click on a widget, given as Python finds it inside QGIS."""
        self.press(*self.run(_MIDDLE.format(expression)))

    def type(self, text: str) -> None:
        """Real key strokes, letter by letter."""
        self._xdotool("type", "--delay", "20", text)

    def new_geopackage(self, path: Path) -> None:
        """Make a target layer through the panel's menu and the file dialog."""
        self.press_widget("[b for b in lasso.dock.findChildren(QToolButton) if b.menu()][0]")
        self.key("Down", "Return")
        self.until("any(w.inherits('QFileDialog') and w.isVisible() for w in QApplication.topLevelWidgets())")
        self.type(str(path))
        self.key("Return")
        self.until("lasso.digitizer.target.layer is not None")

    def screen_xy(self, x: float, y: float) -> tuple[int, int]:
        """Where a place of the map, in the canvas's CRS, is on the screen."""
        place = self.run(
            "from qgis.core import QgsPointXY\n"
            "canvas = iface.mapCanvas()\n"
            f"at = canvas.getCoordinateTransform().transform(QgsPointXY({x!r}, {y!r}))\n"
            "at = canvas.viewport().mapToGlobal(at.toQPointF().toPoint())\n"
            "result = [at.x(), at.y()]"
        )
        return place[0], place[1]

    def kill(self) -> None:
        """End QGIS as a crash does; `start_again` starts it with the same profile."""
        if self._qgis is not None:
            self._qgis.kill()
            self._qgis.wait()

    def end(self) -> None:
        """End QGIS as its menu does."""
        if self._qgis is None or self._qgis.poll() is not None:
            return
        try:
            self.run("from qgis.PyQt.QtCore import QTimer\nQTimer.singleShot(0, iface.actionExit().trigger)")
            self._qgis.wait(20)
        except (DesktopError, subprocess.TimeoutExpired):
            self._qgis.kill()
        self._qgis.wait()

    def start_again(self) -> None:
        """After `kill` or `end`."""
        (self._remote / "up").unlink()
        self._start()

    def save_edits(self) -> None:
        """Save the target layer's edits by QGIS's own action."""
        self.run(f"{_NAMES}iface.setActiveLayer(lasso.digitizer.target.layer)\niface.actionSaveActiveLayerEdits().trigger()\n")
        self.until("not lasso.digitizer.target.layer.isModified()")

    def _make_profile(self, package: Path, engine_python: Path | None, more: str) -> None:
        profile = self._folder / "profiles" / "profiles" / "default"
        with zipfile.ZipFile(package) as archive:
            archive.extractall(profile / "python" / "plugins")
        settings = profile / "QGIS" / "QGIS3.ini"
        settings.parent.mkdir(parents=True)
        settings.write_text(PROFILE.format(engine_python=engine_python or "") + more, encoding="utf-8")

    def _start(self) -> None:
        self._environment = os.environ | {
            "RASTERLASSO_REMOTE": str(self._remote),
            "PYQGIS_STARTUP": str(HERE / "startup.py"),
            "XDG_RUNTIME_DIR": str(self._folder / "runtime"),
            "XDG_DATA_HOME": str(self._folder / "data"),
            "XDG_CACHE_HOME": str(self._folder / "cache"),
            **self._own_environment,
        }
        self._environment.pop("QT_QPA_PLATFORM", None)
        if not self._display:
            self._display = self._start_xvfb()
        self._environment["DISPLAY"] = self._display
        command = ["qgis", "--nologo", "--profiles-path", str(self._folder / "profiles"), "--code", str(HERE / "remote.py")]
        with (self._folder / "qgis.log").open("wb") as log:
            self._qgis = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        self._wait((self._remote / "up").exists, START_SECONDS, "QGIS to start")
        scale = float(self._own_environment.get("QT_SCALE_FACTOR", "1"))
        width, height = (round(side / scale) for side in self._size_px)
        self.run(f"iface.mainWindow().setGeometry(0, 0, {width}, {height})")

    def _start_xvfb(self) -> str:
        read_end, write_end = os.pipe()
        command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "{}x{}x24".format(*self._size_px), "-nolisten", "tcp"]
        self._xvfb = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise DesktopError("Xvfb did not start")
        return f":{number}"

    def _stop(self) -> None:
        self.end()
        if self._xvfb is not None:
            self._xvfb.terminate()
            self._xvfb.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _xdotool(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], check=True, env=self._environment)
        time.sleep(0.15)

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if self._qgis is not None and self._qgis.poll() is not None:
                raise DesktopError(f"QGIS ended with code {self._qgis.returncode}:\n{self.log[-3000:]}")
            if time.monotonic() > end:
                raise DesktopError(f"waited {seconds} s for {what}\n{self.log[-3000:]}")
            time.sleep(0.05)
