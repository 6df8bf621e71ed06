"""How outlines are drawn: a preset for the kind of object, and each of its steps."""

from __future__ import annotations

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from ...contract.looks import PRESETS, Finish
from ..translation import tr
from .narrow import narrow, wrapped_label

OWN = "own"
"""In place of a preset's name, where the user chose the steps."""

IN_PIXELS, IN_METRES = 0, 1
LARGEST_M = 1000.0
LARGEST_M2 = 1e7


class FinishPanel(QWidget):
    """`changed` gives the finish that is chosen."""

    changed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.preset = QComboBox()
        self.preset.setToolTip(tr("How outlines are drawn"))
        narrow(self.preset)
        for name, text in (
            ("raw", tr("As traced")),
            ("field", tr("Field: straight sides")),
            ("building", tr("Building: right angles")),
            ("water", tr("Water, coast: smooth")),
            ("tree", tr("Tree: smooth, simpler")),
            (OWN, tr("Custom")),
        ):
            self.preset.addItem(text, name)
        self.tolerance = _number(LARGEST_M, 0.5)
        self.tolerance.setToolTip(tr("No vertex is left out that would move the outline by more than this"))
        self.unit = QComboBox()
        self.unit.addItems([tr("pixels"), tr("m")])
        self.unit.setToolTip(tr("Of the level that is looked at, or on the ground"))
        self.min_area = _number(LARGEST_M2, 10.0, " m²")
        self.min_area.setToolTip(tr("Holes and parts smaller than this are removed"))
        self.grow = _number(LARGEST_M, 0.5, " m", least=-LARGEST_M)
        self.grow.setToolTip(tr("More than 0 moves the outline outwards, less than 0 inwards"))
        self.smooth = QCheckBox(tr("Smooth"))
        self.smooth.setToolTip(tr("Round the corners, within the tolerance"))
        self.straight_sides = QCheckBox(tr("Straight sides"))
        self.straight_sides.setToolTip(tr("Draw straight sides and sharp corners, as fields have them, with few vertices"))
        self.right_angles = QCheckBox(tr("Right angles"))
        self.right_angles.setToolTip(tr("Turn all corners into right angles, as buildings have them"))
        self._lay_out()
        self._show(PRESETS["raw"])
        self.preset.currentIndexChanged.connect(self._on_preset)
        for spin in (self.tolerance, self.min_area, self.grow):
            spin.valueChanged.connect(self._on_step)
        for box in (self.smooth, self.straight_sides, self.right_angles):
            box.toggled.connect(self._on_step)
        self.unit.currentIndexChanged.connect(self._on_step)

    @property
    def finish(self) -> Finish:
        """What is chosen."""
        tolerance, is_metres = self.tolerance.value(), self.unit.currentIndex() == IN_METRES
        return Finish(
            tolerance_px=0.0 if is_metres else tolerance,
            smooth=self.smooth.isChecked(),
            right_angles=self.right_angles.isChecked(),
            min_area_m2=self.min_area.value(),
            grow_m=self.grow.value(),
            tolerance_m=tolerance if is_metres else 0.0,
            straight_sides=self.straight_sides.isChecked(),
        )

    def show_finish(self, finish: Finish) -> None:
        """Choose a finish, under its preset's name where it has one."""
        self._show(finish)
        self._on_step()

    def _on_preset(self) -> None:
        if self.preset.currentData() != OWN:
            self._show(PRESETS[self.preset.currentData()])
        self.changed.emit(self.finish)

    def _on_step(self) -> None:
        names = [name for name, finish in PRESETS.items() if finish == self.finish]
        self.preset.blockSignals(True)
        self.preset.setCurrentIndex(self.preset.findData(names[0] if names else OWN))
        self.preset.blockSignals(False)
        self.changed.emit(self.finish)

    def _show(self, finish: Finish) -> None:
        widgets = (self.tolerance, self.unit, self.min_area, self.grow, self.smooth, self.straight_sides, self.right_angles)
        for widget in widgets:
            widget.blockSignals(True)
        self.unit.setCurrentIndex(IN_METRES if finish.tolerance_m else IN_PIXELS)
        self.tolerance.setValue(finish.tolerance_m or finish.tolerance_px)
        self.min_area.setValue(finish.min_area_m2)
        self.grow.setValue(finish.grow_m)
        self.smooth.setChecked(finish.smooth)
        self.straight_sides.setChecked(finish.straight_sides)
        self.right_angles.setChecked(finish.right_angles)
        for widget in widgets:
            widget.blockSignals(False)

    def _lay_out(self) -> None:
        tolerance = QHBoxLayout()
        tolerance.addWidget(self.tolerance, 1)
        tolerance.addWidget(self.unit)
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("Simplify within"), tolerance)
        form.addRow(wrapped_label(tr("Remove parts smaller than")))
        form.addRow(self.min_area)
        form.addRow(tr("Grow or shrink by"), self.grow)
        form.addRow(self.smooth)
        form.addRow(self.straight_sides)
        form.addRow(self.right_angles)
        form.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.preset)
        column.addLayout(form)


def _number(most: float, step: float, suffix: str = "", least: float = 0.0) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(least, most)
    spin.setSingleStep(step)
    spin.setDecimals(1)
    spin.setSuffix(suffix)
    spin.setKeyboardTracking(False)
    spin.setMinimumWidth(60)
    return spin
