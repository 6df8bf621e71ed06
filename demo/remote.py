"""Runs inside QGIS (`qgis --code`): executes what the driver asks for, on QGIS's own thread.

The driver writes REMOTE/N.py; this writes REMOTE/N.json with what the code left in `result`, or its traceback.
"""

import json
import os
import traceback
from pathlib import Path

from qgis.PyQt.QtCore import QTimer
from qgis.utils import iface

FOLDER = Path(os.environ["RASTERLASSO_REMOTE"])
POLL_MS = 30


def poll() -> None:
    """Execute the requests that have come."""
    for request in sorted(FOLDER.glob("*.py"), key=lambda path: int(path.stem)):
        code = request.read_text(encoding="utf-8")
        request.unlink()
        names = {"iface": iface, "result": None}
        try:
            exec(compile(code, request.name, "exec"), names)
            reply = {"result": names["result"]}
        except Exception:  # noqa: BLE001 - handed to the driver
            reply = {"error": traceback.format_exc()}
        part = request.with_suffix(".part")
        part.write_text(json.dumps(reply), encoding="utf-8")
        part.rename(request.with_suffix(".json"))


timer = QTimer(iface.mainWindow())
timer.timeout.connect(poll)
timer.start(POLL_MS)
(FOLDER / "up").touch()
