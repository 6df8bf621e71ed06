"""What a QGIS that ends badly leaves behind, and what the next one makes of it."""

import json
import shutil

import pytest
from qgis.core import QgsFeature, QgsGeometry, QgsProject, QgsRasterLayer, QgsRectangle, QgsVectorFileWriter, QgsVectorLayer
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QPushButton

from helpers import FIELD, MIDDLE, accept_one, polygon_layer
from rasterlasso.plugin.digitizing.draft import Combining
from rasterlasso.plugin.journal.files import SessionFiles, left_behind
from rasterlasso.plugin.journal.journal import Journal
from rasterlasso.plugin.journal.recorder import Recorder

OUTSIDE = (500_330, 4_499_720)


class Journals:
    """Those of a QGIS under way, and of the ones after it."""

    def __init__(self, bench, folder):
        self.bench, self.folder = bench, folder
        self.errors = []
        self._recorder = Recorder(bench.digitizer, QgsProject.instance(), SessionFiles(folder / "first"))
        self._journal = None

    def left(self):
        """What there would be if QGIS ended now."""
        copy = self.folder / f"copy{len(list(self.folder.iterdir()))}"
        shutil.copytree(self.folder / "first", copy)
        for lock in copy.glob("*.lock"):
            lock.unlink()
        return list(left_behind(copy))

    def end_badly(self):
        """Nothing is written from now on; then a project is open again, with the same imagery."""
        kept = {path: path.read_bytes() for path in (self.folder / "first").iterdir() if path.suffix != ".lock"}
        self._recorder.close()
        for path, content in kept.items():
            path.write_bytes(content)
        for lock in (self.folder / "first").glob("*.lock"):
            lock.unlink()
        self.bench.digitizer.clear()

    def begin_again(self):
        digitizer = self.bench.digitizer
        self.bar = QgsMessageBar()
        self._journal = Journal(digitizer, QgsProject.instance(), self.bar, digitizer.set_imagery)
        self._journal.failed.connect(self.errors.append)
        self._journal.begin(self.folder / "first")
        return self.bar.currentItem()

    def press(self, name):
        self.bar.findChild(QPushButton, name).click()

    def close(self):
        (self._journal or self._recorder).close()


@pytest.fixture
def journals(bench, tmp_path):
    made = Journals(bench, tmp_path / "journals")
    yield made
    made.close()


@pytest.fixture
def own_layer(bench, project, tmp_path):
    """A GeoPackage layer of the user's, as target."""
    made = polygon_layer(project, "Polygon((0 0, 1 0, 1 1, 0 0))", fields="&field=class:string&field=model:string")
    path = tmp_path / "own.gpkg"
    options = QgsVectorFileWriter.SaveVectorOptions()
    QgsVectorFileWriter.writeAsVectorFormatV3(made, str(path), project.transformContext(), options)
    layer = QgsVectorLayer(str(path), "own")
    project.addMapLayer(layer)
    bench.digitizer.set_target(layer)
    return layer


def digitized(layer):
    return max(layer.getFeatures(), key=lambda feature: feature.geometry().area())


def test_the_object_under_way_is_kept_at_each_step(journals, bench):
    bench.click(*MIDDLE)
    bench.click(*OUTSIDE, Qt.MouseButton.RightButton)
    bench.answered()
    [found] = journals.left()
    assert [len(entry.prompts.points) for entry in found.draft.steps] == [1, 1]
    assert [entry.prompts.points[0].foreground for entry in found.draft.steps] == [True, False]
    bench.key(Qt.Key.Key_Escape)
    assert journals.left() == []


def test_an_object_under_way_is_taken_up_again(journals, bench):
    bench.click(*MIDDLE)
    bench.draw((500_150, 4_499_720), (500_330, 4_499_720))
    before = bench.answered()
    steps, level = bench.digitizer.draft.steps, bench.digitizer.view_level
    journals.end_badly()
    item = journals.begin_again()
    assert "0 accepted or changed, 1 under way" in item.text()
    bench.look_at(500_000, 4_499_400, 500_400, 4_499_700)  # the view is another one; the object's level stays
    journals.press("RasterLassoRestore")
    after = bench.answered()
    assert bench.digitizer.draft.steps == steps
    assert bench.digitizer.view_level == level
    assert after.equals(before)
    assert not journals.errors
    assert journals.bar.currentItem() is None


def test_what_was_kept_to_be_added_to_comes_back(journals, bench):
    bench.click(*MIDDLE)
    bench.answered()
    kept = bench.digitizer.polygon
    bench.digitizer.combine_next(Combining.SUBTRACT)
    journals.end_badly()
    journals.begin_again()
    journals.press("RasterLassoRestore")
    assert bench.digitizer.draft.combining is Combining.SUBTRACT
    assert bench.digitizer.polygon.equals(kept)
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature.geometry().area() == pytest.approx(kept.area())


def test_accepted_objects_come_back_into_their_own_layer(journals, bench, own_layer):
    bench.digitizer.acceptance.class_name = "field"
    accept_one(bench)
    shape = digitized(own_layer).geometry()
    journals.end_badly()
    own_layer.rollBack()
    item = journals.begin_again()
    assert "1 accepted or changed, 0 under way" in item.text()
    journals.press("RasterLassoRestore")
    back = digitized(own_layer)
    assert back.geometry().equals(shape)
    assert back["class"] == "field"
    assert back["model"] == "builtin"
    assert own_layer.isEditable(), "the user saves it"
    assert own_layer.commitChanges()
    assert own_layer.featureCount() == 2


def test_objects_of_a_layer_that_is_gone_come_back_into_a_new_one(journals, bench, project):
    accept_one(bench)
    scratch = bench.digitizer.target.layer
    [before] = [feature.geometry() for feature in scratch.getFeatures()]
    journals.end_badly()
    project.removeMapLayer(scratch)
    journals.begin_again()
    journals.press("RasterLassoRestore")
    layer = bench.digitizer.target.layer
    assert layer.name() == "Restored features"
    [after] = layer.getFeatures()
    assert after.geometry().equals(before)
    assert json.loads(after["prompts"])["points"]
    assert project.mapLayer(layer.id()) is layer


def test_borders_of_neighbours_that_were_moved_come_back_too(journals, bench, own_layer):
    x0, y0, _, y1 = FIELD
    beside = QgsFeature(own_layer.fields())
    beside.setGeometry(QgsGeometry.fromRect(QgsRectangle(x0 - 90, y0 - 50, x0 + 3, y1 + 50)))
    assert own_layer.dataProvider().addFeatures([beside])[0]
    before = {feature.id(): feature.geometry() for feature in own_layer.getFeatures()}
    bench.digitizer.acceptance.share_borders = True
    accept_one(bench)
    now = {each: own_layer.getFeature(each).geometry() for each in before}
    moved = {each: shape for each, shape in now.items() if not shape.equals(before[each])}
    assert len(moved) == 1
    journals.end_badly()
    own_layer.rollBack()
    assert "2 accepted or changed" in journals.begin_again().text()
    journals.press("RasterLassoRestore")
    for feature_id, shape in moved.items():
        assert own_layer.getFeature(feature_id).geometry().equals(shape)
    assert own_layer.featureCount() == 3


def test_saved_objects_are_not_offered(journals, bench, own_layer):
    accept_one(bench)
    [found] = journals.left()
    assert len(found.accepted) == 1
    assert own_layer.commitChanges()
    assert journals.left() == []


def test_what_is_saved_into_memory_is_still_lost_where_qgis_ends(journals, bench):
    accept_one(bench)
    layer = bench.digitizer.target.layer
    assert layer.commitChanges()
    [found] = journals.left()
    [entry] = found.accepted
    assert entry.feature_id > 0
    layer.startEditing()
    layer.deleteFeature(entry.feature_id)
    assert journals.left() == []


def test_undoing_and_discarding_are_the_users_will(journals, bench, own_layer):
    accept_one(bench)
    own_layer.undoStack().undo()
    assert journals.left() == []
    own_layer.undoStack().redo()
    [found] = journals.left()
    assert len(found.accepted) == 1
    own_layer.rollBack()
    assert journals.left() == []


def test_later_changes_by_hand_are_kept(journals, bench, own_layer):
    accept_one(bench)
    feature = digitized(own_layer)
    own_layer.changeAttributeValue(feature.id(), own_layer.fields().lookupField("class"), "meadow")
    own_layer.translateFeature(feature.id(), 5, 0)
    [found] = journals.left()
    [entry] = found.accepted
    assert entry.attributes["class"] == "meadow"
    assert entry.wkb_hex == own_layer.getFeature(feature.id()).geometry().asWkb().data().hex()


def test_without_its_imagery_the_object_under_way_stays_on_offer(journals, bench, project, imagery):
    accept_one(bench)
    bench.click(*MIDDLE)
    bench.answered()
    path, count = imagery.source(), len(bench.digitizer.draft.steps)
    target = bench.digitizer.target.layer
    journals.end_badly()
    project.removeMapLayer(imagery)
    project.removeMapLayer(target)
    journals.begin_again()
    journals.press("RasterLassoRestore")
    assert "is not in the project" in str(journals.errors.pop())
    assert bench.digitizer.target.layer.featureCount() == 1, "the accepted one is back"
    project.addMapLayer(QgsRasterLayer(path, "the same again"))
    journals.press("RasterLassoRestore")
    bench.answered()
    assert len(bench.digitizer.draft.steps) == count
    assert bench.digitizer.target.layer.featureCount() == 1
    assert not journals.errors


def test_a_draft_of_a_reopened_object_finds_it_again_whatever_its_number_is_now(journals, bench, own_layer):
    """Temporary numbers begin anew in the next QGIS: the same one may be another object's."""
    accept_one(bench)
    assert own_layer.commitChanges()
    own_layer.startEditing()
    for place in ((500_050, 4_499_500), MIDDLE):
        accept_one(bench, place)
    shapes = {each.id(): each.geometry() for each in own_layer.getFeatures() if each.id() < 0}
    assert len(shapes) == 2
    bench.click(*MIDDLE, modifier=Qt.KeyboardModifier.AltModifier)
    bench.answered()
    reopened = bench.digitizer.draft.reopened[1]
    bench.click(*OUTSIDE, Qt.MouseButton.RightButton)
    bench.answered()
    journals.end_badly()
    own_layer.rollBack()
    own_layer.startEditing()
    journals.begin_again()
    journals.press("RasterLassoRestore")
    bench.answered()
    now = own_layer.getFeature(bench.digitizer.draft.reopened[1])
    if reopened < 0:
        assert now.geometry().equals(shapes[reopened])
    else:
        assert now.id() == reopened


def test_a_number_of_a_layer_in_memory_means_nothing_in_the_next_qgis(journals, bench, project):
    accept_one(bench)
    scratch = bench.digitizer.target.layer
    assert scratch.commitChanges()
    [lost] = [feature.geometry() for feature in scratch.getFeatures()]
    journals.end_badly()
    scratch.startEditing()
    [old] = scratch.getFeatures()
    newer = QgsGeometry.fromWkt("MultiPolygon(((0 0, 9 0, 9 9, 0 0)))")
    scratch.changeGeometry(old.id(), newer)  # as if it had been drawn after the start, and got the number
    scratch.commitChanges()
    journals.begin_again()
    journals.press("RasterLassoRestore")
    found = [feature.geometry() for feature in scratch.getFeatures()]
    assert len(found) == 2
    assert any(each.equals(newer) for each in found)
    assert any(each.equals(lost) for each in found)


def test_a_journal_that_failed_for_a_moment_offers_nothing_that_was_saved(journals, bench, own_layer, monkeypatch):
    accept_one(bench)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as moment:
        moment.setattr(SessionFiles, "write_draft", full)
        bench.click(*MIDDLE)
        bench.answered()
    bench.digitizer.accept()
    assert own_layer.commitChanges()
    journals.close()
    assert journals.begin_again() is None


def test_outlines_of_a_layer_that_is_gone_stay_lines(journals, bench, project):
    lines = QgsVectorLayer("MultiLineString?crs=EPSG:32613", "lines", "memory")
    project.addMapLayer(lines)
    bench.digitizer.set_target(lines)
    accept_one(bench)
    [before] = [feature.geometry() for feature in lines.getFeatures()]
    journals.end_badly()
    project.removeMapLayer(lines)
    journals.begin_again()
    journals.press("RasterLassoRestore")
    [layer] = [each for each in project.mapLayers().values() if each.name() == "Restored features"]
    [after] = layer.getFeatures()
    assert after.geometry().equals(before)


def test_what_was_cut_off_while_it_was_written_is_swept_away(journals, bench):
    bench.click(*MIDDLE)
    [file] = (journals.folder / "first").glob("*.draft.json")
    file.rename(file.with_suffix(".part"))
    journals.end_badly()
    assert journals.begin_again() is None
    assert not list((journals.folder / "first").glob("*.part"))


def test_forgotten_is_forgotten_and_put_off_is_offered_again(journals, bench):
    accept_one(bench)
    journals.end_badly()
    journals.begin_again()
    journals.close()
    assert "1 accepted or changed" in journals.begin_again().text()
    journals.press("RasterLassoForget")
    journals.close()
    assert journals.begin_again() is None


def test_a_line_that_was_cut_off_loses_itself_alone(journals, bench):
    accept_one(bench)
    [file] = (journals.folder / "first").glob("*.jsonl")
    whole = file.read_text()
    shapeless = json.dumps({"key": 3, "entry": {**json.loads(whole)["entry"], "wkb_hex": "00"}})
    file.write_text(f'{whole}[]\n{{"key": 2, "entry": {{}}}}\n{shapeless}\n{"[" * 100_000}\n{whole[:200]}')
    [found] = journals.left()
    assert len(found.accepted) == 1


def test_a_folder_that_can_not_be_written_is_told_once(bench, tmp_path):
    (tmp_path / "journal").write_text("a file where the folder belongs")
    errors = []
    journal = Journal(bench.digitizer, QgsProject.instance(), QgsMessageBar(), bench.digitizer.set_imagery)
    journal.failed.connect(errors.append)
    journal.begin(tmp_path / "journal")
    accept_one(bench)
    [error] = errors
    assert "Save often" in str(error)
    journal.close()
