"""Outline, borders, accepting and model as they were chosen for each class of each layer."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsVectorLayer

from ..digitizing.digitizer import Digitizer
from ..target.class_settings import ClassSettings, keep_settings, settings_of
from .finish_panel import FinishPanel
from .model_panel import ModelPanel
from .options_panel import OptionsPanel


class ByClass:
    """Keeps with the layer what the panel's parts show, and has them show it again when the class is chosen."""

    def __init__(self, digitizer: Digitizer, finish: FinishPanel, options: OptionsPanel, models: ModelPanel) -> None:
        self._digitizer = digitizer
        self._finish, self._options, self._models = finish, options, models
        self._is_showing = False
        finish.changed.connect(self._keep)
        for switch in (options.auto_accept, options.share_borders):
            switch.toggled.connect(self._keep)
        models.model.currentIndexChanged.connect(self._keep)
        digitizer.accepted.connect(self._keep)

    def show(self) -> None:
        """Show what was chosen for the class and layer of the next object; what was not stays as it is."""
        layer = self._digitizer.target.layer
        settings = None if layer is None else settings_of(layer, self._digitizer.acceptance.class_name)
        if settings is None:
            return
        self._is_showing = True
        self._finish.show_finish(settings.finish)
        self._options.auto_accept.setChecked(settings.auto_accept)
        self._options.share_borders.setChecked(settings.share_borders)
        index = self._models.model.findData(settings.model)
        if index >= 0:  # a model that was removed since is not missed
            self._models.model.setCurrentIndex(index)
        self._is_showing = False

    def _keep(self, *_: Any) -> None:
        layer, digitizer = self._digitizer.target.layer, self._digitizer
        if self._is_showing or not isinstance(layer, QgsVectorLayer):
            return
        settings = ClassSettings(
            digitizer.lens.finish, digitizer.lens.model, digitizer.acceptance.share_borders, digitizer.auto_accept
        )
        keep_settings(layer, digitizer.acceptance.class_name, settings)
