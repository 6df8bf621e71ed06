"""The journal of this QGIS, and what others left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.gui import QgsMessageBar, QgsMessageBarItem
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.errors import RasterLassoError
from ..digitizing.digitizer import Digitizer
from ..errors import DraftUnderWay, JournalUnwritable
from .files import LeftBehind, SessionFiles, left_behind
from .offer import offer
from .recorder import Recorder
from .restoring import restore_accepted, restore_draft


def journal_folder() -> Path:
    """Beside the user's profile."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "rasterlasso" / "journal"


class Journal(QObject):
    """`failed` tells what can't be written or restored. choose_imagery: makes a layer the one that is clicked on."""

    failed = pyqtSignal(object)

    def __init__(
        self, digitizer: Digitizer, project: QgsProject, bar: QgsMessageBar, choose_imagery: Callable[[QgsRasterLayer], None]
    ) -> None:
        super().__init__()
        self._digitizer = digitizer
        self._project = project
        self._bar = bar
        self._choose_imagery = choose_imagery
        self._recorder: Recorder | None = None
        self._offers: list[tuple[LeftBehind, QgsMessageBarItem]] = []

    def begin(self, folder: Path) -> None:
        """Write down what is done from now on, and offer what was left behind."""
        try:
            left = list(left_behind(folder))
            self._recorder = Recorder(self._digitizer, self._project, SessionFiles(folder))
        except OSError as error:
            self.failed.emit(JournalUnwritable(reason=str(error)))
            return
        self._recorder.failed.connect(self.failed)
        for found in left:
            self._offer(found)

    def close(self) -> None:
        """QGIS ends, or the plugin is taken away: nothing is lost any more; what was not decided on is offered again."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None
        for found, item in self._offers:
            found.leave()
            self._bar.popWidget(item)
        self._offers.clear()

    def _offer(self, found: LeftBehind) -> None:
        item = offer(self._bar, found, lambda: self._restore(found), lambda: self._decided(found))
        self._offers.append((found, item))

    def _restore(self, found: LeftBehind) -> None:
        """What can't be restored now stays on offer."""
        recorder = self._recorder
        if recorder is None:
            return
        try:
            restored = restore_accepted(found.accepted, self._digitizer.target, self._project, recorder)
            found.keep_accepted(restored.left)
            if found.draft is not None:
                if not self._digitizer.draft.is_empty:
                    raise DraftUnderWay()
                restore_draft(found.draft, restored, self._digitizer, self._project, self._choose_imagery)
            if restored.error is not None:
                raise restored.error
        except RasterLassoError as error:
            self.failed.emit(error)
        except OSError as error:
            self.failed.emit(JournalUnwritable(reason=str(error)))
        else:
            self._decided(found)

    def _decided(self, found: LeftBehind) -> None:
        found.forget()
        for offered in [each for each in self._offers if each[0] is found]:
            self._offers.remove(offered)
            self._bar.popWidget(offered[1])
