"""Each handler of the panel's own widgets, and each key of the map's tools, under PyQt 6."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from PyQt6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QWidget

from rasterlasso.contract.looks import PRESETS
from rasterlasso.contract.requests import ModelInfo
from rasterlasso.plugin.canvas.map_tool import LassoTool
from rasterlasso.plugin.canvas.review_tool import ReviewTool
from rasterlasso.plugin.digitizing.state import DraftState
from rasterlasso.plugin.panel.draft_buttons import DraftButtons
from rasterlasso.plugin.panel.finish_panel import FinishPanel
from rasterlasso.plugin.panel.help import HelpDialog, page
from rasterlasso.plugin.panel.model_panel import ModelPanel
from rasterlasso.plugin.panel.options_panel import OptionsPanel

CONTROLS = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox)


class Signals(QObject):
    """Of the digitizer and its lens."""

    changed = pyqtSignal()
    draft_changed = pyqtSignal()
    answered = pyqtSignal()
    progressed = pyqtSignal()


@pytest.fixture
def digitizer():
    signals = Signals()
    made = MagicMock(progress=None, can_redo=True, state=DraftState.ANSWERED, pieces=("one",), auto_accept=False)
    made.draft = SimpleNamespace(is_empty=False)
    made.lens = MagicMock(size=0, sees_as_shown=False, refines=True, learns=False, model="builtin", changed=signals.changed)
    made.draft_changed, made.answered, made.progressed = signals.draft_changed, signals.answered, signals.progressed
    made.signals = signals  # which Qt would delete
    return made


def use(panel):
    """Do with each control what can be done with it."""
    used = [each for kind in CONTROLS for each in panel.findChildren(kind)]
    for control in used:
        if isinstance(control, QAbstractButton):
            control.click()
        elif isinstance(control, QComboBox):
            for index in range(control.count()):
                control.setCurrentIndex(index)
        else:
            for value in (control.minimum(), control.maximum()):
                control.setValue(value)
    return len(used)


def test_outline_styles(unhandled):
    panel, chosen = FinishPanel(), []
    panel.changed.connect(chosen.append)
    assert use(panel) >= 8
    panel.preset.setCurrentIndex(panel.preset.findData("building"))
    assert chosen[-1] == PRESETS["building"]
    assert unhandled == []


def test_options_buttons_and_models(digitizer, unhandled):
    options, buttons, models = (
        OptionsPanel(digitizer, MagicMock(enabled=True)),
        DraftButtons(digitizer),
        ModelPanel(digitizer.lens),
    )
    models.set_models([ModelInfo("builtin", "Built-in", "Raster Lasso", "GPL", 3_200_000, "built-in", 0.3)])
    options.refresh()
    buttons.refresh()
    assert min(use(panel) for panel in (options, buttons, models)) >= 3
    assert unhandled == []
    digitizer.accept.assert_called_once_with()
    digitizer.lens.set_as_shown.assert_called_with(True)


def test_the_page_of_keys(unhandled):
    dialog = HelpDialog()
    dialog.show()
    assert "Backspace" in page()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert unhandled == []


def press(tool, key, text="", modifier=Qt.KeyboardModifier.NoModifier):
    event = QKeyEvent(QEvent.Type.KeyPress, key, modifier, text)
    tool.keyPressEvent(event)
    return event


@pytest.fixture
def lasso(digitizer):
    made = LassoTool(QWidget(), digitizer, MagicMock(), MagicMock(), MagicMock())
    made.activate()
    return made


def test_each_key_of_the_lasso(lasso, digitizer, unhandled):
    chosen, sizes = [], []
    lasso.class_chosen.connect(chosen.append)
    digitizer.lens.set_size.side_effect = sizes.append
    press(lasso, Qt.Key.Key_3, "3")
    press(lasso, Qt.Key.Key_Plus, "+")
    assert (chosen, sizes) == ([3], [1])
    for key, method in (
        (Qt.Key.Key_Return, digitizer.accept),
        (Qt.Key.Key_Backspace, digitizer.undo),
        (Qt.Key.Key_X, digitizer.split_next),
        (Qt.Key.Key_A, digitizer.combine_next),
    ):
        press(lasso, key)
        method.assert_called_once()
    press(lasso, Qt.Key.Key_Z, "z", Qt.KeyboardModifier.ControlModifier)
    assert digitizer.undo.call_count == 2
    override = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a")
    assert lasso.eventFilter(lasso.canvas(), override)
    assert not lasso.eventFilter(
        lasso.canvas(), QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Q, Qt.KeyboardModifier.NoModifier)
    )
    assert unhandled == []


class MapMouseEvent(QMouseEvent):
    """That of QGIS has the place on the canvas, also in Qt 6."""

    def pos(self):
        return self.position().toPoint()


def mouse(kind, place, button, modifier=Qt.KeyboardModifier.NoModifier, buttons=Qt.MouseButton.NoButton):
    return MapMouseEvent(kind, QPointF(place), QPointF(place), button, buttons, modifier)


def test_clicks_boxes_and_strokes(lasso, digitizer, unhandled):
    left, right = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
    here, there = QPoint(10, 10), QPoint(60, 60)
    lasso.canvas().rotation = lambda: 0.0
    lasso.canvasPressEvent(mouse(QEvent.Type.MouseButtonPress, here, left))
    lasso.canvasReleaseEvent(mouse(QEvent.Type.MouseButtonRelease, here, left))
    digitizer.click.assert_called_with(here, True)
    lasso.canvasReleaseEvent(mouse(QEvent.Type.MouseButtonRelease, there, right))
    digitizer.click.assert_called_with(there, foreground=False)
    pointed = []
    lasso.counter_example.connect(pointed.append)
    lasso.canvasReleaseEvent(mouse(QEvent.Type.MouseButtonRelease, there, right, Qt.KeyboardModifier.ControlModifier))
    assert pointed == [there]
    lasso.canvasPressEvent(mouse(QEvent.Type.MouseButtonPress, here, left, Qt.KeyboardModifier.ControlModifier))
    lasso.canvasMoveEvent(
        mouse(QEvent.Type.MouseMove, there, Qt.MouseButton.NoButton, Qt.KeyboardModifier.ControlModifier, left)
    )
    lasso.canvasReleaseEvent(mouse(QEvent.Type.MouseButtonRelease, there, left, Qt.KeyboardModifier.ControlModifier))
    digitizer.draw.assert_called_once_with([here, there, there], True)
    lasso.canvasMoveEvent(mouse(QEvent.Type.MouseMove, there, Qt.MouseButton.NoButton))
    assert unhandled == []


def test_each_key_of_a_review(unhandled):
    review, preview = MagicMock(), MagicMock()
    tool = ReviewTool(QWidget(), review, preview)
    fixed, left = [], []
    tool.fix_wanted.connect(lambda: fixed.append(True))
    tool.left.connect(lambda: left.append(True))
    for key in (Qt.Key.Key_Y, Qt.Key.Key_N, Qt.Key.Key_Backspace, Qt.Key.Key_Down, Qt.Key.Key_F, Qt.Key.Key_Escape):
        press(tool, key)
    review.accept.assert_called_once_with()
    review.reject.assert_called_once_with()
    review.undo.assert_called_once_with()
    review.step.assert_called_once_with(1)
    assert (fixed, left) == ([True], [True])
    tool.canvasReleaseEvent(mouse(QEvent.Type.MouseButtonRelease, QPoint(1, 1), Qt.MouseButton.LeftButton))
    review.choose_at.assert_called_once()
    assert unhandled == []
