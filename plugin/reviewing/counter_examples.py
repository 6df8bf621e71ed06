"""What looks like a class's features and is none: rejected proposals, and what the user points at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import Qgis, QgsPointXY
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.client import Replies
from ...contract.errors import RasterLassoError
from ...contract.prompts import Point, Prompts
from ...contract.requests import SegmentResult
from ..digitizing.digitizer import Digitizer
from ..digitizing.telling import told
from ..geo.wkb import polygon_from_hex
from ..runtime.engine_process import EngineProcess
from ..translation import error_text, tr

CHANNEL = "counter"

MOST = 50
"""Of a class on an imagery: the newest are kept."""

Key = tuple[Any, str]
"""Class and imagery."""


class CounterExamples(QObject):
    """Kept for each class on each imagery, until they are forgotten or QGIS ends. `message` (text, level) is for the user."""

    message = pyqtSignal(str, object)

    def __init__(self, canvas: QgsMapCanvas, digitizer: Digitizer, engine: EngineProcess) -> None:
        super().__init__()
        self._canvas = canvas
        self._digitizer = digitizer
        self._engine = engine
        self._kept: dict[Key, list[str]] = {}

    def of(self, key: Key) -> tuple[str, ...]:
        """WKB in the imagery's CRS, the newest last."""
        return tuple(self._kept.get(key, ()))

    def add(self, key: Key, wkb_hex: str) -> None:
        """Keep another one."""
        kept = self._kept.setdefault(key, [])
        kept.append(wkb_hex)
        del kept[:-MOST]

    def take_back(self, key: Key, wkb_hex: str) -> None:
        """Keep it no longer, if it still is."""
        if wkb_hex in self._kept.get(key, ()):
            self._kept[key].remove(wkb_hex)

    @told
    def point_at(self, place: QgsPointXY) -> None:
        """What a click at a place in map coordinates would give is no feature of the class; the draft stays as it is."""
        digitizer = self._digitizer
        lens, key = digitizer.lens, digitizer.acceptance.preference_key
        [there] = lens.in_imagery([place])
        params = lens.segment(Prompts((Point(there.x(), there.y()),)), lens.level_at(place), with_others=False)
        crs = digitizer.crs

        def keep(value: Mapping[str, Any]) -> None:
            shape = SegmentResult.from_wire(value).wkb_hex
            polygon = polygon_from_hex(shape)
            self.add(key, shape)
            self._canvas.flashGeometries([polygon], crs)
            self.message.emit(_kept_words(key[0]), Qgis.MessageLevel.Info)

        self._engine.request("segment", params.to_wire(), Replies(keep, self.tell), CHANNEL)

    def forget(self) -> None:
        """Of all classes."""
        self._kept.clear()

    def tell(self, error: RasterLassoError) -> None:
        """What went wrong, to the user, in the map's terms."""
        self.message.emit(error_text(self._digitizer.lens.in_terms_of_the_map(error)), Qgis.MessageLevel.Warning)


def _kept_words(class_name: Any) -> str:
    later = tr("Similar features are searched without what looks like it.")
    if class_name in (None, ""):
        return f"{tr('Kept as a counter-example.')} {later}"
    return f"{tr('Kept as a counter-example of {class_name}.').format(class_name=class_name)} {later}"
