"""The panel as a person uses it: narrow, folded, by keyboard, and back to the map."""

import sys

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import QCoreApplication, QEvent, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFileDialog,
    QInputDialog,
    QMenu,
    QPushButton,
    QScrollArea,
    QScrollBar,
)

import rasterlasso
from helpers import MIDDLE, wait_until
from rasterlasso.contract.requests import SegmentResult
from rasterlasso.plugin.geo.wkb import to_hex
from rasterlasso.plugin.panel.help import HelpDialog, page


@pytest.fixture
def plugin(qgis_iface, engine_python, project, imagery):
    QgsSettings().setValue("rasterlasso/engine_python", str(engine_python))
    made = rasterlasso.classFactory(qgis_iface)
    made.initGui()
    canvas = qgis_iface.mapCanvas()
    canvas.resize(800, 600)
    canvas.window().show()
    wait_until(lambda: canvas.mapSettings().outputSize().width() > 700, 5)
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32613"))
    canvas.setLayers([imagery])
    canvas.setExtent(QgsRectangle(500_000, 4_499_400, 500_800, 4_500_000))
    made.action.trigger()
    yield made
    made.unload()
    QgsSettings().remove("rasterlasso")


def screen(canvas, x, y):
    return canvas.getCoordinateTransform().transform(x, y).toQPointF().toPoint()


def click(plugin, x, y, button=Qt.MouseButton.LeftButton):
    canvas = plugin.tool.canvas()
    QTest.mouseClick(canvas.viewport(), button, Qt.KeyboardModifier.NoModifier, screen(canvas, x, y))


def answered(plugin):
    wait_until(lambda: plugin.digitizer.progress is None)
    return plugin.digitizer.polygon


def test_no_text_makes_the_panel_wider_and_all_of_it_can_be_reached(plugin, project, make_image):
    dock = plugin.dock
    layer = QgsRasterLayer(str(make_image("long.tif")), "a layer with a name that is much longer than any panel is wide " * 3)
    project.addMapLayer(layer)
    plugin.dock.class_name.addItem("deciduous forest with scattered conifers and a very long name")
    dock.show_install_progress("Collecting https://example.org/" + "a" * 300)
    for group in dock.findChildren(QgsCollapsibleGroupBox):
        group.setCollapsed(False)
    font = dock.font()
    font.setPointSize(9)  # as on a desktop; without a screen it is larger
    dock.setFont(font)
    dock.setFloating(True)
    dock.resize(240, 600)
    dock.show()
    QTest.qWait(50)
    scrolled = dock.findChild(QScrollArea)
    assert dock.width() == 240
    assert dock.widget().minimumSizeHint().width() <= 240
    assert scrolled.widget().minimumSizeHint().width() <= 240
    assert dock.minimumSizeHint().height() < 480  # with an installation under way
    assert not scrolled.isAncestorOf(dock.buttons.accept)  # which so is always in view
    dock.show_install_progress(None)
    dock.setFloating(False)


def test_each_control_says_what_it_does(plugin):
    kinds = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox)
    controls = [control for kind in kinds for control in plugin.dock.widget().findChildren(kind)]
    own = [each for each in controls if not isinstance(each, QScrollBar) and not each.objectName().startswith("m")]  # QGIS's
    silent = [each for each in own if not each.toolTip() and not isinstance(each.parent(), (QComboBox, QgsCollapsibleGroupBox))]
    assert len(own) > 20
    assert not silent, [getattr(each, "text", each.objectName)() for each in silent]


@pytest.fixture
def unhandled(monkeypatch):
    """What was raised in handlers, which Qt has nobody to tell."""
    found = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: found.append(error))
    return found


@pytest.fixture
def no_dialogs(monkeypatch):
    """Nobody is there to answer them."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))
    monkeypatch.setattr(QInputDialog, "getDouble", lambda *_, **__: (1.0, False))


def use(control):
    """Each thing that can be done with a control, and what it was before at last."""
    if isinstance(control, QAbstractButton):
        for _ in range(2 if control.isCheckable() else 1):
            control.click()
    elif isinstance(control, QComboBox):
        before = control.currentIndex()
        for index in [*range(control.count()), before]:
            control.setCurrentIndex(index)
    else:
        before = control.value()
        for value in (control.minimum(), control.maximum(), before):
            control.setValue(value)


@pytest.mark.parametrize("has_draft", [False, True])
def test_each_control_can_be_used_at_any_time(plugin, qgis_iface, unhandled, no_dialogs, monkeypatch, has_draft):
    monkeypatch.setattr(plugin, "_install_engine", lambda: None)
    if has_draft:
        click(plugin, *MIDDLE)
        assert answered(plugin) is not None
    kinds = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox)
    panels = (plugin.dock, plugin.desk.panel)
    controls = [each for panel in panels for kind in kinds for each in panel.widget().findChildren(kind)]
    menus = plugin.dock.findChildren(QMenu)
    with_menus = [menu.parent() for menu in menus]  # which wait for the user's choice
    ours = [
        each for each in controls if each not in (plugin.dock.install_button, *with_menus) and not isinstance(each, QScrollBar)
    ]
    assert len(ours) > 40
    for control in ours:
        use(control)
        QCoreApplication.processEvents()
    for menu in menus:
        for action in menu.actions():
            action.trigger()
    for shortcut in plugin._shortcuts:
        shortcut.trigger()
        QCoreApplication.processEvents()
    wait_until(lambda: plugin.digitizer.progress is None)
    assert unhandled == []
    plugin.desk.leave()
    assert plugin.tool.canvas().mapTool() in (plugin.tool, plugin.hand)
    plugin.tool.canvas().setMapTool(plugin.tool)
    click(plugin, *MIDDLE)
    assert answered(plugin) is not None


def test_what_the_model_looks_at_is_shown_on_demand(plugin):
    click(plugin, *MIDDLE)
    assert answered(plugin) is not None
    assert plugin.preview._frame.asGeometry().isEmpty()
    plugin.dock.options.show_frame.click()
    frame = plugin.preview._frame.asGeometry()
    assert frame.contains(plugin.digitizer.polygon)
    assert frame.area() <= 1024 * 1024 * 2 * 2
    plugin.dock.options.show_frame.click()
    assert plugin.preview._frame.asGeometry().isEmpty()


def group(plugin, name):
    return plugin.dock.findChild(QgsCollapsibleGroupBox, f"RasterLasso{name}")


def test_groups_stay_as_they_were_left(plugin, qgis_iface):
    for is_collapsed in (False, True):
        group(plugin, "Model").setCollapsed(is_collapsed)
        plugin.unload()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        plugin.initGui()
        plugin.dock.show()
        assert group(plugin, "Model").isCollapsed() is is_collapsed


def test_after_a_button_the_map_has_the_keyboard(plugin):
    canvas = plugin.tool.canvas()
    canvas.window().activateWindow()
    click(plugin, *MIDDLE)
    answered(plugin)
    plugin.dock.buttons.undo.setFocus()
    plugin.dock.buttons.undo.click()
    assert canvas.hasFocus()
    plugin.dock.class_name.setFocus()
    QTest.keyClick(plugin.dock.class_name.lineEdit(), Qt.Key.Key_Return)
    assert canvas.hasFocus()


def test_the_outline_is_taken_in_hand_by_key_and_by_button_and_let_go_again(plugin):
    canvas, button = plugin.tool.canvas(), plugin.dock.buttons.by_hand
    canvas.window().activateWindow()  # away from the message bar, where the journal may offer what other tests left
    assert not button.isEnabled()
    click(plugin, *MIDDLE)
    answered(plugin)
    QTest.keyClick(canvas, Qt.Key.Key_V)
    assert canvas.mapTool() is plugin.hand
    assert button.isChecked()
    assert plugin.action.isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.mapTool() is plugin.tool
    assert not button.isChecked()
    assert not plugin.digitizer.draft.is_empty
    button.click()
    assert canvas.mapTool() is plugin.hand
    assert canvas.hasFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert canvas.mapTool() is plugin.tool
    assert plugin.digitizer.target.layer.featureCount() == 1
    plugin.tool.hand_wanted.emit()
    assert canvas.mapTool() is plugin.tool  # there is nothing to change


def test_what_was_taken_back_is_done_again(plugin):
    canvas = plugin.tool.canvas()
    click(plugin, *MIDDLE)
    first = answered(plugin)
    click(plugin, MIDDLE[0] + 20, MIDDLE[1])
    answered(plugin)
    for _ in range(2):
        QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert plugin.digitizer.draft.is_empty
    assert plugin.dock.buttons.redo.isEnabled()
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert len(plugin.digitizer.draft.points) == 1
    assert answered(plugin).equals(first)
    plugin.dock.buttons.redo.click()
    assert len(plugin.digitizer.draft.points) == 2
    assert not plugin.digitizer.can_redo
    plugin.dock.buttons.undo.click()
    click(plugin, MIDDLE[0] - 20, MIDDLE[1])
    answered(plugin)
    assert not plugin.digitizer.can_redo


def test_a_right_click_alone_says_what_to_do(plugin, qgis_iface):
    told = []
    plugin.digitizer.message.connect(lambda text, level: told.append(text))
    click(plugin, *MIDDLE, Qt.MouseButton.RightButton)
    assert told == ["Click a feature first. A right click then says what does not belong to it."]
    assert plugin.digitizer.draft.is_empty


def test_a_held_key_hides_the_preview(plugin):
    canvas = plugin.tool.canvas()
    click(plugin, *MIDDLE)
    answered(plugin)
    QTest.keyPress(canvas, Qt.Key.Key_H)
    assert not plugin.preview._polygon.isVisible()
    QTest.keyRelease(canvas, Qt.Key.Key_H)
    assert plugin.preview._polygon.isVisible()


def test_other_answers_are_dotted_only_while_tab_is_used(plugin):
    click(plugin, *MIDDLE)
    answered(plugin)
    shapes = [to_hex(QgsGeometry.fromRect(QgsRectangle(0, 0, side, side))) for side in (9, 5)]
    plugin.digitizer.candidates.take(SegmentResult(shapes[0], 0.9, "builtin", 0, 0.1, ((shapes[1], 0.8),)))
    plugin.digitizer.answered.emit()
    assert plugin.preview._ghosts.numberOfVertices() == 0
    QTest.keyClick(plugin.tool.canvas(), Qt.Key.Key_Tab)
    assert plugin.preview._ghosts.numberOfVertices() > 0


def test_f1_shows_the_keys_once(plugin, qgis_iface):
    window = qgis_iface.mainWindow()
    QTest.keyClick(plugin.tool.canvas(), Qt.Key.Key_F1)
    plugin.dock.help_button.click()
    [shown] = window.findChildren(HelpDialog)
    assert shown.isVisible()
    assert "Ctrl+Shift+Z" in page()
    shown.close()


def test_without_an_object_the_active_raster_is_the_imagery(plugin, qgis_iface, project, make_image):
    other = QgsRasterLayer(str(make_image("other.tif")), "other")
    project.addMapLayer(other, False)
    project.layerTreeRoot().addLayer(other)
    qgis_iface.currentLayerChanged.emit(other)
    assert plugin.digitizer.imagery is other
    click(plugin, *MIDDLE)
    answered(plugin)
    former = next(layer for layer in project.mapLayers().values() if layer is not other)
    qgis_iface.currentLayerChanged.emit(former)
    assert plugin.digitizer.imagery is other


def test_a_click_off_the_imagery_offers_the_layer_that_is_there(plugin, qgis_iface, project, make_image):
    far = QgsRasterLayer(str(make_image("far.tif", geotransform=(501_000, 2, 0, 4_500_000, 0, -2))), "far")
    project.addMapLayer(far)
    imagery, canvas = plugin.digitizer.imagery, plugin.tool.canvas()
    plugin.dock.imagery.setLayer(imagery)
    canvas.setLayers([imagery, far])
    canvas.setExtent(QgsRectangle(500_000, 4_499_400, 501_800, 4_500_000))
    offered = []
    bar = qgis_iface.messageBar()
    bar.widgetAdded.connect(offered.append)
    click(plugin, MIDDLE[0] + 1000, MIDDLE[1])
    assert plugin.digitizer.draft.is_empty
    [item] = offered
    [button] = [each for each in item.findChildren(QPushButton) if "far" in each.text()]
    button.click()
    assert plugin.digitizer.imagery is far
    assert answered(plugin).contains(QgsPointXY(MIDDLE[0] + 1000, MIDDLE[1]))


def test_imagery_that_the_map_does_not_show_is_not_segmented_in_silence(plugin):
    told = []
    plugin.digitizer.message.connect(lambda text, level: told.append(text))
    plugin.tool.canvas().setLayers([])
    click(plugin, *MIDDLE)
    answered(plugin)
    click(plugin, MIDDLE[0] + 10, MIDDLE[1])
    answered(plugin)
    assert [text for text in told if "the map does not show it" in text] == told
    assert len(told) == 1


def test_a_scratch_layer_bears_the_names_of_imagery_and_class(plugin):
    plugin.dock.class_name.setEditText("field")
    click(plugin, *MIDDLE)
    answered(plugin)
    plugin.dock.buttons.accept.click()
    assert plugin.digitizer.target.layer.name() == "image field"


def test_work_is_shown_at_once_and_the_bar_goes_afterwards(plugin):
    assert not plugin.dock.bar.isVisibleTo(plugin.dock)
    click(plugin, *MIDDLE)
    assert plugin.dock.bar.isVisibleTo(plugin.dock)
    assert plugin.tool.shows_work
    assert plugin.tool.canvas().viewport().cursor().shape() == Qt.CursorShape.BusyCursor
    answered(plugin)
    assert not plugin.dock.bar.isVisibleTo(plugin.dock)
    assert plugin.tool.canvas().viewport().cursor().shape() == Qt.CursorShape.CrossCursor


def test_the_selected_features_of_the_active_layer_are_segmented(plugin, qgis_iface, project):
    layer = QgsVectorLayer("Point?crs=EPSG:32613", "places", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(*MIDDLE)))
    layer.dataProvider().addFeature(feature)
    project.addMapLayer(layer)
    layer.selectAll()
    qgis_iface.setActiveLayer(layer)
    plugin.dock.target_row.selected_requested.emit()
    assert plugin.features.is_under_way
    assert not plugin.job_bar.is_over
    wait_until(lambda: not plugin.features.is_under_way)
    assert plugin.job_bar.is_over
    assert plugin.digitizer.target.layer.featureCount() == 1
