"""Registers the plugin's parts with QGIS, and takes them away again in the mirror order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import Qgis, QgsApplication, QgsMapLayer, QgsPointXY, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgisInterface, QgsMapTool
from qgis.PyQt import sip
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QPushButton

from ..contract.answers import ModelsListed
from ..contract.client import Replies
from ..contract.errors import RasterLassoError
from .canvas.hand_tool import HandTool
from .canvas.map_tool import LassoTool
from .canvas.preview import Preview
from .digitizing.digitizer import Digitizer
from .digitizing.draft import Combining
from .digitizing.from_features import FromFeatures
from .digitizing.hover import Hover
from .digitizing.prefetch import Prefetch
from .errors import NothingToChange
from .journal.journal import Journal, journal_folder
from .panel.dock import LassoDock
from .panel.help import HelpDialog
from .panel.job_bar import JobBar
from .panel.models_dialog import ModelsDialog
from .panel.profile import remember, restore
from .panel.review_desk import ReviewDesk
from .processing.provider import LassoProvider
from .reviewing.review import Review
from .runtime.engine_command import EngineCommand, engine_command
from .runtime.engine_process import EngineProcess
from .runtime.environment import managed_folder
from .runtime.installing import EngineInstaller
from .settings import Settings
from .target.layer_jobs import LayerJobs
from .target.placing import opens_form
from .translation import error_text, tr

try:
    from qgis.PyQt.QtGui import QAction
except ImportError:  # Qt 5 has it elsewhere
    from qgis.PyQt.QtWidgets import QAction

ICON = Path(__file__).resolve().parent.parent / "resources" / "icons" / "rasterlasso.svg"
MENU = "Raster Lasso"


class RasterLassoPlugin:
    """What QGIS loads."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._provider: LassoProvider | None = None
        self._installer: EngineInstaller | None = None
        self._models_dialog: ModelsDialog | None = None

    @property
    def _gui(self) -> QgisInterface:
        """QGIS's windows; raises `RuntimeError` under qgis_process, which has none."""
        if self._iface is None:
            raise RuntimeError("QGIS runs without its windows")
        return self._iface

    def initProcessing(self) -> None:
        """The algorithms; all there is under qgis_process."""
        self._provider = LassoProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Everything else."""
        self.initProcessing()
        self._make_parts(self._gui, QgsProject.instance())
        self._add_action(self._gui)
        self._connect_parts(self._gui)
        self.journal.begin(journal_folder())

    def _make_parts(self, iface: QgisInterface, project: QgsProject) -> None:
        canvas = iface.mapCanvas()
        self._settings = Settings.load()
        self.engine = EngineProcess(self._engine_command())
        self.digitizer = Digitizer(canvas, self.engine, project, self._settings.model)
        self.preview = Preview(canvas, project)
        self.hover = Hover(self.digitizer, self.engine)
        self.prefetch = Prefetch(canvas, self.digitizer, self.engine)
        self.jobs = LayerJobs(self.engine, project)
        self.features = FromFeatures(self.digitizer.lens, self.digitizer.acceptance, self.engine, project)
        self.job_bar = JobBar(iface.messageBar(), tr("Segmenting the selected features…"), self.features.cancel)
        self.tool = LassoTool(canvas, self.digitizer, self.preview, self.hover, self.prefetch)
        self.hand = HandTool(canvas, iface.cadDockWidget(), self.digitizer, self.preview)
        review = Review(canvas, self.digitizer, self.engine, project)
        self.desk = ReviewDesk(iface, self.digitizer, review, self.tool)
        self.dock = LassoDock(self.digitizer, self.hover, self.engine, iface.mainWindow())
        restore(self._settings, self.dock)
        iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.dock.hide()  # QGIS shows what is added; it opens with the tool
        self.journal = Journal(self.digitizer, project, iface.messageBar(), self.dock.imagery.setLayer)

    def _engine_command(self) -> EngineCommand | None:
        try:
            return engine_command(self._settings)
        except RasterLassoError as error:
            self._show_error(error)
            return None

    def _add_action(self, iface: QgisInterface) -> None:
        """The button in the toolbar, and keys for all that can be done."""
        self.action = QAction(QIcon(str(ICON)), tr("Digitize with Raster Lasso"), iface.mainWindow())
        self.action.setObjectName("RasterLassoAction")
        self.action.setCheckable(True)
        self.action.triggered.connect(self._toggle_tool)
        for tool in (self.tool, self.hand):
            tool.setAction(self.action)
        iface.addToolBarIcon(self.action)
        iface.addPluginToRasterMenu(MENU, self.action)
        self._shortcuts = self._register_shortcuts(iface)

    def _connect_parts(self, iface: QgisInterface) -> None:
        for signal in (self.digitizer.draft_changed, self.digitizer.answered, self.digitizer.progressed):
            signal.connect(self._refresh_preview)
        self.hover.changed.connect(self._refresh_hint)
        self.dock.options.show_frame.toggled.connect(self._refresh_preview)
        self.digitizer.accepted.connect(self._open_form)
        self.digitizer.message.connect(self._show_message)
        self.engine.noticed.connect(self._show_error)
        for source in (self.jobs, self.features, self.desk):
            source.message.connect(self._show_message)
        self.features.accepted.connect(self.digitizer.accepted)
        self.features.progressed.connect(self.job_bar.show)
        self.features.ended.connect(self.job_bar.close)
        self.journal.failed.connect(self._show_error)
        iface.mapCanvas().destinationCrsChanged.connect(self._refresh_preview)
        QgsApplication.instance().aboutToQuit.connect(self.journal.close)
        self.tool.class_chosen.connect(self.dock.choose_class)
        self.tool.help_wanted.connect(self._show_help)
        self.tool.hand_wanted.connect(self._take_in_hand)
        self.hand.left.connect(lambda: iface.mapCanvas().setMapTool(self.tool))
        self.dock.buttons.hand_requested.connect(self._toggle_hand)
        iface.mapCanvas().mapToolSet.connect(self._show_hand)
        self.tool.counter_example.connect(self.desk.review.counter_examples.point_at)
        self.tool.elsewhere.connect(self._offer_other_imagery)
        iface.currentLayerChanged.connect(self._follow_active_layer)
        self.dock.help_requested.connect(self._show_help)
        self.dock.map_wanted.connect(iface.mapCanvas().setFocus)
        self.dock.models.models_requested.connect(self._manage_models)
        self.dock.target_row.simplify_requested.connect(self.jobs.simplify)
        self.dock.target_row.export_requested.connect(self.jobs.export)
        self.dock.target_row.selected_requested.connect(self._segment_selected)
        self.dock.target_row.similar_requested.connect(self.desk.begin)
        self.dock.target_row.review_requested.connect(self._review_active)
        self.dock.target_row.forgetting_requested.connect(self.desk.review.counter_examples.forget)
        self.dock.target_row.geopackage_requested.connect(self._new_geopackage)
        self.dock.install_requested.connect(self._install_engine)
        self.dock.install_cancelled.connect(self._cancel_installation)

    def unload(self) -> None:
        """Take all away."""
        if self._iface is not None:
            self._unload_gui(self._iface)
        provider, self._provider = self._provider, None
        if provider is not None and not sip.isdeleted(
            provider
        ):  # QGIS may have deleted it, with the registry or another plugin
            QgsApplication.processingRegistry().removeProvider(provider)

    def _unload_gui(self, iface: QgisInterface) -> None:
        canvas = iface.mapCanvas()
        remember(self._settings, self.dock, self.digitizer, self.hover)
        self._cancel_installation()
        self._close_models_dialog()
        for shown in iface.mainWindow().findChildren(HelpDialog):
            shown.close()
        QgsApplication.instance().aboutToQuit.disconnect(self.journal.close)
        self.journal.close()
        self.journal.deleteLater()
        canvas.destinationCrsChanged.disconnect(self._refresh_preview)
        iface.currentLayerChanged.disconnect(self._follow_active_layer)
        canvas.mapToolSet.disconnect(self._show_hand)
        for tool in (self.hand, self.tool):
            canvas.unsetMapTool(tool)
        for shortcut in self._shortcuts:
            iface.unregisterMainWindowAction(shortcut)
            iface.mainWindow().removeAction(shortcut)
            shortcut.deleteLater()
        iface.unregisterMainWindowAction(self.action)
        iface.removePluginRasterMenu(MENU, self.action)
        iface.removeToolBarIcon(self.action)
        self.action.deleteLater()
        iface.removeDockWidget(self.dock)
        self.dock.deleteLater()
        self.tool.deleteLater()
        self.hand.remove()
        self.hand.deleteLater()
        self.jobs.deleteLater()
        self.features.cancel()
        self.features.deleteLater()
        self.desk.remove()
        self.prefetch.detach()
        self.prefetch.deleteLater()
        self.hover.stop()
        self.hover.deleteLater()
        self.preview.remove()
        self.digitizer.detach()
        self.digitizer.deleteLater()
        self.engine.shut_down()
        self.engine.deleteLater()

    def _register_shortcuts(self, iface: QgisInterface) -> list[QAction]:
        """What can be done, in QGIS's own list of shortcuts, for the user to give keys to."""
        digitizer, found = self.digitizer, []
        for name, text, do in (
            ("Accept", tr("Raster Lasso: accept"), digitizer.accept),
            ("Undo", tr("Raster Lasso: take the last step back"), digitizer.undo),
            ("Redo", tr("Raster Lasso: do again what was taken back"), digitizer.redo),
            ("Clear", tr("Raster Lasso: discard the object"), digitizer.clear),
            ("Add", tr("Raster Lasso: add what is clicked next"), lambda: digitizer.combine_next(Combining.ADD)),
            ("Subtract", tr("Raster Lasso: cut out what is clicked next"), lambda: digitizer.combine_next(Combining.SUBTRACT)),
            ("Split", tr("Raster Lasso: split along the next line"), digitizer.split_next),
            ("ByHand", tr("Raster Lasso: change the outline by hand"), self._toggle_hand),
            ("Selected", tr("Raster Lasso: segment the selected features"), self._segment_selected),
            ("Similar", tr("Raster Lasso: find similar features in view"), self.desk.begin),
            ("Review", tr("Raster Lasso: review the active layer's features"), self._review_active),
            ("Next", tr("Raster Lasso: next candidate"), digitizer.next_candidate),
            ("Larger", tr("Raster Lasso: look for larger objects"), lambda: digitizer.lens.set_size(digitizer.lens.size + 1)),
            ("Smaller", tr("Raster Lasso: look for smaller objects"), lambda: digitizer.lens.set_size(digitizer.lens.size - 1)),
            ("AutoAccept", tr("Raster Lasso: accept by a click elsewhere, on or off"), self.dock.options.auto_accept.toggle),
            ("ShareBorders", tr("Raster Lasso: share borders, on or off"), self.dock.options.share_borders.toggle),
            ("Frame", tr("Raster Lasso: show what the model looks at, on or off"), self.dock.options.show_frame.toggle),
            ("Hover", tr("Raster Lasso: preview the outline under the cursor, on or off"), self.dock.options.show_hover.toggle),
        ):
            action = QAction(text, iface.mainWindow())
            action.setObjectName(f"RasterLasso{name}")
            action.triggered.connect(lambda checked=False, do=do: do())
            iface.mainWindow().addAction(action)  # in no menu or toolbar; without a window its key would do nothing
            iface.registerMainWindowAction(action, "")
            found.append(action)
        iface.registerMainWindowAction(self.action, "")
        return found

    def _toggle_tool(self, is_on: bool) -> None:
        canvas = self._gui.mapCanvas()
        if not is_on:
            for tool in (self.hand, self.tool):
                canvas.unsetMapTool(tool)
            return
        active = self._gui.activeLayer()
        if isinstance(active, QgsRasterLayer) and self.digitizer.draft.is_empty:
            self.dock.imagery.setLayer(active)
        self.dock.setUserVisible(True)
        canvas.setMapTool(self.tool)
        canvas.setFocus()
        self._ask_for_models()

    def _take_in_hand(self) -> None:
        if self.digitizer.polygon is None or self.digitizer.progress is not None:
            self._show_error(NothingToChange())
        else:
            self._gui.mapCanvas().setMapTool(self.hand)

    def _toggle_hand(self) -> None:
        canvas = self._gui.mapCanvas()
        if canvas.mapTool() is self.hand:
            canvas.setMapTool(self.tool)
        else:
            self._take_in_hand()
        self._show_hand(canvas.mapTool())

    def _show_hand(self, tool: QgsMapTool | None) -> None:
        self.dock.buttons.by_hand.setChecked(tool is self.hand)

    def _segment_selected(self) -> None:
        self.features.begin(self._gui.activeLayer())

    def _review_active(self) -> None:
        self.desk.begin_with(self._gui.activeLayer())

    def _follow_active_layer(self, layer: QgsMapLayer | None) -> None:
        """Without an object under way the raster layer that the user turns to is the imagery."""
        is_other = isinstance(layer, QgsRasterLayer) and layer is not self.digitizer.imagery
        if is_other and self._gui.mapCanvas().mapTool() is self.tool and self.digitizer.draft.is_empty:
            self.dock.imagery.setLayer(layer)

    def _offer_other_imagery(self, layer: QgsRasterLayer, place: QgsPointXY) -> None:
        """A click off the imagery is not lost: one more press takes it on the layer that is there."""
        bar, imagery = self._gui.messageBar(), self.digitizer.imagery
        text = tr("The imagery is {imagery}, which does not reach here.").format(imagery=imagery.name() if imagery else "")
        item = bar.createMessage(tr("Raster Lasso"), text)
        button = QPushButton(tr("Use {layer}").format(layer=layer.name()))

        def use() -> None:
            bar.popWidget(item)
            if sip.isdeleted(layer) or sip.isdeleted(self.dock):  # gone meanwhile
                return
            self.dock.imagery.setLayer(layer)
            self._gui.mapCanvas().setFocus()
            self.digitizer.click(place, True)

        button.clicked.connect(use)
        item.layout().addWidget(button)
        bar.pushWidget(item, Qgis.MessageLevel.Info)

    def _ask_for_models(self) -> None:
        """Starts the engine, so that it is warm at the first click."""
        self.engine.request("models", {}, Replies(result=self._show_models, failure=self._show_error), "models")

    def _show_models(self, value: Mapping[str, Any]) -> None:
        models = ModelsListed.from_wire(value).models
        usable = [model for model in models if model.state != "published"]
        self.dock.models.set_models(usable)
        self._settings.models = "\n".join(model.name for model in usable)
        self._settings.save("models")

    def _manage_models(self) -> None:
        if self._models_dialog is None:
            self._models_dialog = ModelsDialog(self._engine_command(), self._gui.mainWindow())
            self._models_dialog.finished.connect(self._on_models_managed)
        self._models_dialog.show()
        self._models_dialog.raise_()

    def _on_models_managed(self, result: int) -> None:
        self._close_models_dialog()
        self._ask_for_models()

    def _close_models_dialog(self) -> None:
        dialog, self._models_dialog = self._models_dialog, None
        if dialog is not None:
            dialog.finished.disconnect(self._on_models_managed)
            dialog.reject()
            dialog.deleteLater()

    def _install_engine(self) -> None:
        self._installer = EngineInstaller(managed_folder())
        self._installer.progress.connect(self.dock.show_install_progress)
        self._installer.finished.connect(self._on_installed)
        self._installer.start()

    def _cancel_installation(self) -> None:
        if self._installer is not None:
            self._installer.cancel()
            self._forget_installer()

    def _on_installed(self, error: RasterLassoError | None) -> None:
        self._forget_installer()
        if error is not None:
            self._show_error(error)
            return
        self._settings.engine_python = self._settings.engine_command = ""
        self._settings.save("engine_python", "engine_command")
        self.engine.use(self._engine_command())
        self._show_message(tr("The engine is installed."), Qgis.MessageLevel.Success)
        self._ask_for_models()
        self.digitizer.ask_again()

    def _forget_installer(self) -> None:
        if self._installer is not None:
            self._installer.deleteLater()
            self._installer = None
        self.dock.show_install_progress(None)

    def _new_geopackage(self, path: Path) -> None:
        self.jobs.new_geopackage(self.digitizer.target, path, self.digitizer.crs)

    def _open_form(self, layer: QgsVectorLayer, feature_ids: list[int]) -> None:
        if opens_form(layer):
            for feature_id in feature_ids:
                self._gui.openFeatureForm(layer, layer.getFeature(feature_id), False, False)

    def _refresh_preview(self) -> None:
        digitizer = self.digitizer
        others = digitizer.candidates.others if digitizer.candidates.was_chosen else []
        frame = digitizer.candidates.frame if self.dock.options.show_frame.isChecked() else None
        self.preview.show(digitizer.draft, digitizer.polygon, digitizer.crs, others, frame)

    def _refresh_hint(self) -> None:
        self.preview.show_hint(self.hover.polygon, self.digitizer.crs)

    def _show_help(self) -> None:
        window = self._gui.mainWindow()
        shown = window.findChild(HelpDialog) or HelpDialog(window)
        shown.show()
        shown.raise_()

    def _show_error(self, error: RasterLassoError) -> None:
        self._show_message(error_text(error), Qgis.MessageLevel.Warning)

    def _show_message(self, text: str, level: Qgis.MessageLevel) -> None:
        self._gui.messageBar().pushMessage(tr("Raster Lasso"), text, level)
