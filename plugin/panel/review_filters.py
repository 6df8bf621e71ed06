"""Which proposals of a review are shown: by likeness, class, area and shape."""

from __future__ import annotations

import math
from dataclasses import replace

from qgis.core import QgsProject, QgsUnitTypes
from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from ..reviewing.review import Review
from ..translation import tr
from .narrow import narrow

PERCENT = 100

LARGEST_AREA = 1e12
"""In any unit; the spin boxes want one."""


class ReviewFilters(QWidget):
    """Shows what is filtered by, and passes on what the user changes."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._is_filling = False
        self.least = _slider(tr("Show only what is at least this likely"))
        self.least_text = QLabel()
        self.class_name = QComboBox()
        self.class_name.setToolTip(tr("Show only proposals of this class"))
        narrow(self.class_name)
        self.least_area = _area(tr("Show nothing smaller"), 0.0)
        self.most_area = _area(tr("Show nothing larger"), LARGEST_AREA)
        self.compactness = _slider(tr("Right: only compact shapes, as roofs and ponds are. Left: also long and ragged ones."))
        self.more = QgsCollapsibleGroupBox(tr("Filters"))
        self.more.setCollapsed(True)
        self._lay_out()
        self._connect()

    def refresh(self) -> None:
        """Show what is the case."""
        shown, names = self._review.shown, self._review.classes
        self._is_filling = True
        self.least.setValue(round(PERCENT * shown.least_likeness))
        self.least_text.setText(f"≥ {shown.least_likeness:.0%}")
        self.compactness.setValue(round(PERCENT * shown.least_compactness))
        if [self.class_name.itemData(index) for index in range(self.class_name.count())] != [None, *names]:
            self.class_name.clear()
            self.class_name.addItem(tr("All classes"), None)
            for name in names:
                self.class_name.addItem(name, name)
        self.class_name.setCurrentIndex(max(self.class_name.findData(shown.class_name), 0))
        self.class_name.setEnabled(bool(names))
        self.least_area.setValue(shown.least_area_m2 * _unit())
        self.most_area.setValue(min(shown.most_area_m2 * _unit(), LARGEST_AREA))
        for area in (self.least_area, self.most_area):
            area.setSuffix(f" {QgsUnitTypes.toAbbreviatedString(QgsProject.instance().areaUnits())}")
        self._is_filling = False

    def _lay_out(self) -> None:
        likeness = QHBoxLayout()
        likeness.addWidget(self.least, 1)
        likeness.addWidget(self.least_text)
        form = QFormLayout(self.more)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("Class"), self.class_name)
        form.addRow(tr("Area from"), self.least_area)
        form.addRow(tr("to"), self.most_area)
        form.addRow(tr("Compactness"), self.compactness)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(likeness)
        column.addWidget(self.more)

    def _connect(self) -> None:
        for slider in (self.least, self.compactness):
            slider.valueChanged.connect(self._pass_on)
        for area in (self.least_area, self.most_area):
            area.valueChanged.connect(self._pass_on)
        self.class_name.currentIndexChanged.connect(self._pass_on)

    def _pass_on(self, *_: object) -> None:
        if self._is_filling:
            return
        most = self.most_area.value()
        self._review.show(
            replace(
                self._review.shown,
                least_likeness=self.least.value() / PERCENT,
                least_area_m2=self.least_area.value() / _unit(),
                most_area_m2=math.inf if most >= LARGEST_AREA else most / _unit(),
                least_compactness=self.compactness.value() / PERCENT,
                class_name=self.class_name.currentData(),
            )
        )


def _unit() -> float:
    """How many of the project's units of area a square metre is."""
    metres, units = QgsUnitTypes.AreaUnit.AreaSquareMeters, QgsProject.instance().areaUnits()
    return QgsUnitTypes.fromUnitToUnitFactor(metres, units) or 1.0


def _slider(tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, PERCENT)
    slider.setToolTip(tip)
    return slider


def _area(tip: str, value: float) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(0.0, LARGEST_AREA)
    spin.setDecimals(2)
    spin.setValue(value)
    spin.setKeyboardTracking(False)
    spin.setMinimumWidth(40)
    spin.setToolTip(tip)
    return spin
