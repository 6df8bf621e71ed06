"""Models to choose from: what each is like, download, add, remove.

It talks to an engine of its own, so that a download holds up no click.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...contract.answers import ModelFetched, ModelMeasured, ModelsListed
from ...contract.client import Replies
from ...contract.errors import RasterLassoError
from ...contract.model_errors import ModelExtraMissing
from ...contract.protocol import Progress
from ...contract.requests import ModelInfo
from ..errors import LibraryElsewhere
from ..runtime.engine_command import EngineCommand
from ..runtime.engine_process import EngineProcess
from ..runtime.installing import LibraryInstaller
from ..translation import error_text, tr
from .model_words import advice, best_for_text, quality_text, speed_text, state_text

CHANNEL = "model"
GET_COLUMN = 1


class ModelsDialog(QDialog):
    """A table of models and what can be done with them."""

    def __init__(self, command: EngineCommand | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Models"))
        self._command = command
        self._engine = EngineProcess(command, self)
        self._models: dict[str, ModelInfo] = {}
        self.table = QTreeWidget()
        self.table.setRootIsDecorated(False)
        self.table.setHeaderLabels([tr("Model"), "", tr("State"), tr("Best for"), tr("Quality"), tr("Speed"), tr("Licence")])
        self.advice = QLabel()
        self.advice.setWordWrap(True)
        self._get_buttons: dict[str, QPushButton] = {}
        self.cancel_button = QPushButton(tr("Cancel download"))
        self.cancel_button.hide()
        self.add_button = QPushButton(tr("Add file…"))
        self.add_button.setToolTip(tr("The authors' .pt or .pth, or model.safetensors with config.json beside it"))
        self.accelerate_button = QPushButton(tr("Speed up…"))
        self.remove_button = QPushButton(tr("Remove"))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._lay_out()
        self.table.itemSelectionChanged.connect(self._refresh_buttons)
        self.cancel_button.clicked.connect(self._cancel_download)
        self.add_button.clicked.connect(self._choose_file)
        self.accelerate_button.clicked.connect(self._accelerate)
        self.remove_button.clicked.connect(self._remove)
        self._buttons.rejected.connect(self.reject)
        self.finished.connect(lambda result: self._close())
        self._downloading: str | None = None
        self._busy = False
        self._installer: LibraryInstaller | None = None
        self._ask("models", {}, self._show_models, tr("Starting the engine…"))

    def _close(self) -> None:
        """What was downloaded so far is used next time."""
        if self._installer is not None:
            self._installer.cancel()
        self._engine.shut_down()

    @property
    def selected(self) -> ModelInfo | None:
        """The model of the selected row."""
        items = self.table.selectedItems()
        return self._models[items[0].text(0)] if items else None

    def select(self, name: str) -> None:
        """Select a model's row."""
        for item in self.table.findItems(name, Qt.MatchFlag.MatchExactly):
            self.table.setCurrentItem(item)

    def get_button(self, name: str) -> QPushButton:
        """What downloads a published model, in its row."""
        return self._get_buttons[name]

    def add(self, path: Path) -> None:
        """Add a checkpoint, or the folder of a `model.safetensors`."""
        is_folder = path.name == "model.safetensors" and path.with_name("config.json").exists()
        source = path.parent if is_folder else path
        self._ask("add_model", {"path": str(source)}, self._reload, tr("Reading {path}…").format(path=source))

    def _show_models(self, value: Mapping[str, Any]) -> None:
        name = self.selected.name if self.selected else None
        models = ModelsListed.from_wire(value).models
        self._models = {model.name: model for model in models}
        self.advice.setText(advice(models))
        self.table.clear()
        self._get_buttons.clear()
        for model in models:
            words = (state_text(model), best_for_text(model), quality_text(model), speed_text(model), model.licence)
            item = QTreeWidgetItem([model.name, "", *words])
            self.table.addTopLevelItem(item)
            if model.state == "published":
                self._get_buttons[model.name] = button = QPushButton(tr("Get"))
                button.setToolTip(tr("Download {name}; it can be stopped and resumed").format(name=model.name))
                button.clicked.connect(lambda checked=False, name=model.name: self._download(name))
                self.table.setItemWidget(item, GET_COLUMN, button)
        self.table.header().resizeSections(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setColumnWidth(GET_COLUMN, QPushButton(tr("Get")).sizeHint().width())
        if name is not None:
            self.select(name)
        self._finish("")

    def _reload(self, value: Mapping[str, Any]) -> None:
        self._ask("models", {}, self._show_models, "")

    def _download(self, name: str) -> None:
        self.select(name)
        self._downloading = name
        text = tr("Downloading {name}, licence: {licence}").format(name=name, licence=self._models[name].licence)
        self._ask("fetch_model", {"name": name}, self._on_fetched, text)

    def _cancel_download(self) -> None:
        self._engine.cancel_channel(CHANNEL)
        self._engine.use(self._command)  # ends it at once, also where it waits for a server

    def _on_fetched(self, value: Mapping[str, Any]) -> None:
        fetched, name = ModelFetched.from_wire(value), {"name": self._downloading}
        self._downloading = None
        question = tr(
            "SHA-256 of the weights:\n{sha256}\n\nThis version does not know it. Compare it with the one on the hub. Install?"
        ).format(sha256=fetched.sha256)
        if fetched.is_known or self._confirms(question):
            self._ask("install_model", name, self._reload, tr("Installing…"))
        else:
            self._ask("discard_model", name, self._reload, tr("Nothing was kept."))

    def _confirms(self, question: str) -> bool:
        return QMessageBox.question(self, self.windowTitle(), question) == QMessageBox.StandardButton.Yes

    def _offer_library(self, library: str, licence: str, then: Callable[[], None]) -> None:
        """Install a library that models need where the user agrees to its licence."""
        question = tr(
            "This model needs the library {library}. Its licence is {licence}: whoever passes it on, or offers it on a "
            "network, must follow that licence.\n\nInstall it?"
        )
        python = None if self._command is None else self._command.python
        if python is None:
            self._show_error(LibraryElsewhere(library=library))
            return
        if not self._confirms(question.format(library=library, licence=licence)):
            return

        def finished(error: RasterLassoError | None) -> None:
            self._installer = None
            if error is not None:
                self._show_error(error)
                return
            self._engine.use(self._command)  # a running one does not know the library yet
            then()

        self._begin(tr("Installing…"))
        self._installer = LibraryInstaller(python, library, self)
        self._installer.progress.connect(self.status.setText)
        self._installer.finished.connect(finished)
        self._installer.start()

    def _choose_file(self) -> None:
        kinds = tr("Weights (*.pt *.pth *.safetensors)")
        name, _ = QFileDialog.getOpenFileName(self, tr("Add a model"), "", kinds)
        if name:
            self.add(Path(name))

    def _accelerate(self) -> None:
        model = self.selected
        if model is not None:
            text = tr("Converting {name} and measuring: a minute or two…").format(name=model.name)
            self._ask("accelerate_model", {"name": model.name}, self._show_measured, text)

    def _show_measured(self, value: Mapping[str, Any]) -> None:
        measured = ModelMeasured.from_wire(value)
        text = (
            tr("{before:.1f} s for a new place until now, {after:.1f} s with OpenVINO, which is used from now on.")
            if measured.pays
            else tr("{before:.1f} s for a new place now, {after:.1f} s with OpenVINO: nothing is changed.")
        ).format(before=measured.torch_seconds, after=measured.openvino_seconds)

        def listed(models: Mapping[str, Any]) -> None:
            self._show_models(models)
            self.status.setText(text)

        self._ask("models", {}, listed, text)

    def _remove(self) -> None:
        model = self.selected
        if model is not None and self._confirms(tr("Delete the files of {name}?").format(name=model.name)):
            self._ask("remove_model", {"name": model.name}, self._reload, tr("Removing…"))

    def _ask(self, op: str, params: dict[str, Any], then: Callable[[Mapping[str, Any]], None], text: str) -> None:
        def failed(error: RasterLassoError) -> None:
            self._show_error(error)
            if isinstance(error, ModelExtraMissing):
                self._offer_library(error.params["library"], error.params["licence"], lambda: self._ask(op, params, then, text))

        self._begin(text)
        replies = Replies(then, failed, self._show_progress, lambda: self._finish(tr("Stopped. It can be resumed.")))
        self._engine.request(op, params, replies, CHANNEL)

    def _begin(self, text: str) -> None:
        self._busy = True
        self.bar.show()
        self.bar.setRange(0, 0)
        self.status.setText(text)
        self._refresh_buttons()

    def _show_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, 100)
        self.bar.setValue(round(100 * progress.fraction))

    def _show_error(self, error: RasterLassoError) -> None:
        self._finish(error_text(error))

    def _finish(self, text: str) -> None:
        self._busy = False
        self._downloading = None
        self.bar.hide()
        self.status.setText(text)
        self._refresh_buttons()

    def _refresh_buttons(self) -> None:
        model = self.selected
        idle = not self._busy
        is_added = model is not None and model.state == "added"
        self.cancel_button.setVisible(self._downloading is not None)
        for button in (self.add_button, *self._get_buttons.values()):
            button.setEnabled(idle)
        self.accelerate_button.setEnabled(idle and is_added)
        self.remove_button.setEnabled(idle and is_added)
        why_not = tr("Choose a model in the list that was added; the built-in one stays as it is") if not is_added else ""
        speed_up = tr("Converts the model for OpenVINO, and uses that if it is faster on this processor; takes a minute or two")
        self.accelerate_button.setToolTip(why_not or speed_up)
        self.remove_button.setToolTip(why_not or tr("Delete the model's files"))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        for button in (self.add_button, self.accelerate_button, self.remove_button, self.cancel_button):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self._buttons)
        column = QVBoxLayout(self)
        column.addWidget(self.advice)
        column.addWidget(self.table, 1)
        note = QLabel(
            tr(
                "SAM and the models like it were trained on general photographs. By their authors' figures the larger ones "
                "are more accurate; without a GPU the first click in each area takes longer."
            )
        )
        note.setWordWrap(True)
        column.addWidget(note)
        column.addWidget(self.status)
        column.addWidget(self.bar)
        column.addLayout(row)
        self.resize(1150, 480)
