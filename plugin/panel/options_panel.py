"""How the imagery is looked at, and what goes on by itself."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from ..digitizing.digitizer import Digitizer
from ..digitizing.hover import Hover
from ..imagery.lens import MOST_SIZE
from ..translation import tr
from .narrow import narrow, wrapped_label


class OptionsPanel(QWidget):
    """Shows the choices, and passes on what the user changes."""

    def __init__(self, digitizer: Digitizer, hover: Hover) -> None:
        super().__init__()
        self._digitizer = digitizer
        self._hover = hover
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(-MOST_SIZE, MOST_SIZE)
        self.size.setPageStep(1)
        self.size.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.size.setToolTip(
            tr("In the middle: features that fill about a third of the map. Right: larger ones, left: smaller ones.")
        )
        self.size_text = wrapped_label()
        self.contrast = QComboBox()
        self.contrast.addItem(tr("Automatic: 2 to 98 %"))
        self.contrast.addItem(tr("As the map shows it"))
        self.contrast.setToolTip(tr("Bands and contrast that the model sees; kept with the imagery in the project"))
        narrow(self.contrast)
        self.auto_accept = _switch(
            tr("A click elsewhere accepts"), tr("Clicking outside the polygon accepts it and begins the next")
        )
        self.share_borders = _switch(
            tr("Share borders"),
            tr("Neighbours' borders nearer than three pixels are taken over; where both claim a place, the older one has it"),
        )
        self.show_hover = _switch(
            tr("Preview under the cursor"),
            tr("The outline that a click would give, where the engine has looked at the place already"),
        )
        self.show_hover.setChecked(hover.enabled)
        self.show_frame = _switch(
            tr("Show the model's view"),
            tr("A faint frame around the imagery that the model sees at once; zoom in or out to change it"),
        )
        self.refine = _switch(
            tr("Refine small features"),
            tr("What is small in the view is outlined as if you had zoomed to it (built-in model)"),
        )
        self.refine.setChecked(digitizer.lens.refines)
        self.learn = _switch(
            tr("Learn from polygons"),
            tr("With each accepted polygon the model adapts to this imagery. Uncheck it to forget what it learnt."),
        )
        self.learn.setChecked(digitizer.lens.learns)
        self._lay_out()
        self._connect()

    def refresh(self) -> None:
        """Show what is the case."""
        lens = self._digitizer.lens
        self.size.setValue(lens.size)
        self.size_text.setText(_size_words(lens.size))
        self.contrast.setCurrentIndex(int(lens.sees_as_shown))

    def _lay_out(self) -> None:
        sizes = QHBoxLayout()
        sizes.addWidget(QLabel(tr("Smaller")))
        sizes.addWidget(self.size, 1)
        sizes.addWidget(QLabel(tr("Larger")))
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("Contrast"), self.contrast)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(sizes)
        column.addWidget(self.size_text)
        column.addLayout(form)
        for switch in (self.auto_accept, self.share_borders, self.show_hover, self.show_frame, self.refine, self.learn):
            column.addWidget(switch)

    def _connect(self) -> None:
        digitizer = self._digitizer
        self.size.valueChanged.connect(digitizer.lens.set_size)
        digitizer.lens.changed.connect(self.refresh)
        self.contrast.currentIndexChanged.connect(lambda index: digitizer.lens.set_as_shown(index == 1))
        self.auto_accept.toggled.connect(lambda is_on: setattr(digitizer, "auto_accept", is_on))
        self.share_borders.toggled.connect(lambda is_on: setattr(digitizer.acceptance, "share_borders", is_on))
        self.show_hover.toggled.connect(self._set_hover)
        self.refine.toggled.connect(digitizer.lens.set_refines)
        self.learn.toggled.connect(digitizer.acceptance.set_learning)

    def _set_hover(self, is_on: bool) -> None:
        self._hover.enabled = is_on
        self._hover.stop()


def _size_words(size: int) -> str:
    if size == 0:
        return tr("Features as large as the map's scale suggests")
    words = tr("Features {times} times larger") if size > 0 else tr("Features {times} times smaller")
    return words.format(times=2 ** abs(size))


def _switch(text: str, tip: str) -> QCheckBox:
    switch = QCheckBox(text)
    switch.setToolTip(tip)
    switch.setMinimumWidth(1)
    return switch
