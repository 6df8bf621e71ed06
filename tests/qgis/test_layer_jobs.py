"""Whole layers: export, simplification, colours."""

import math
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from qgis.core import QgsProviderRegistry, QgsVectorFileWriter, QgsVectorLayer

from helpers import accept_one, polygon_layer, wait_until
from rasterlasso.contract.errors import RasterLassoError
from rasterlasso.plugin.errors import LayerNotCreated
from rasterlasso.plugin.target.classes import classes_of
from rasterlasso.plugin.target.exporting import export_layer


def test_a_file_that_is_open_is_not_overwritten(bench, project, tmp_path):
    path = tmp_path / "target.gpkg"
    bench.jobs.new_geopackage(bench.digitizer.target, path, bench.digitizer.crs)
    accept_one(bench)
    assert bench.digitizer.target.layer.commitChanges()
    bench.jobs.export(bench.digitizer.target.layer, path)
    assert "is read from it" in bench.messages[-1]
    assert QgsVectorLayer(bench.digitizer.target.layer.source(), "again", "ogr").featureCount() == 1


def test_styles_of_other_layers_in_a_file_stay(bench, tmp_path):
    path = tmp_path / "two.gpkg"
    for name in ("lake", "field"):
        bench.jobs.new_geopackage(bench.digitizer.target, path, bench.digitizer.crs)
        bench.digitizer.acceptance.class_name = name
        accept_one(bench)
        assert bench.digitizer.target.layer.commitChanges()
    for source, name in (("features", "lake"), ("features_2", "field")):
        again = QgsVectorLayer(f"{path}|layername={source}", source, "ogr")
        assert [each.value() for each in again.renderer().categories()][:1] == [name]


@pytest.mark.parametrize("target", ["scratch", "geopackage"])
@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_exports_are_what_gdals_own_tools_read(bench, tmp_path, suffix, target):
    """Before the edits are saved, too."""
    if target == "geopackage":
        bench.jobs.new_geopackage(bench.digitizer.target, tmp_path / "target.gpkg", bench.digitizer.crs)
    bench.digitizer.acceptance.class_name = "Grünland"
    accept_one(bench)
    path = tmp_path / f"out.{suffix}"
    bench.jobs.export(bench.digitizer.target.layer, path)
    assert "Exported" in bench.messages[-1]
    told = subprocess.run(["ogrinfo", "-al", "-so", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Feature Count: 1" in told
    assert ("WGS 84" if suffix == "geojson" else "UTM zone 13N") in told
    rows = subprocess.run(["ogrinfo", "-al", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Grünland" in rows
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "no folder" / f"out.{suffix}")
    assert "no folder" in bench.messages[-1]


def test_layers_with_long_sources_do_not_keep_others_from_being_exported(bench, project, tmp_path):
    polygon_layer(project, fields="".join(f"&field=a_long_name_of_a_field_{index}:string" for index in range(12)))
    accept_one(bench)
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "out.gpkg")
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "out.gpkg")
    assert "Exported" in bench.messages[-1]


def test_formats_that_qgis_lacks_are_written_by_the_engine(bench, tmp_path, engine_python):
    bench.jobs.new_geopackage(bench.digitizer.target, tmp_path / "target.gpkg", bench.digitizer.crs)
    accept_one(bench)
    path = tmp_path / "out.parquet"
    bench.jobs.export(bench.digitizer.target.layer, path)
    wait_until(lambda: bench.messages and "Exported" in bench.messages[-1])
    code = f"import geopandas; print(geopandas.read_parquet({str(path)!r}).to_crs(32613).area[0])"
    told = subprocess.run([engine_python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(told) == pytest.approx(240 * 160, rel=0.05)
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "out.docx")
    wait_until(lambda: "docx" in bench.messages[-1])
    assert ".gpkg" in bench.messages[-1]


def test_a_layer_is_simplified_with_its_borders_shared(bench, project):
    wave = [(20 + math.sin(y / 3), y) for y in range(101)]
    ring = ", ".join(f"{x} {y}" for x, y in wave)
    back = ", ".join(f"{x} {y}" for x, y in reversed(wave))
    layer = polygon_layer(
        project, f"Polygon ((0 0, {ring}, 0 100, 0 0))", f"Polygon (({back}, 40 0, 40 100, {wave[-1][0]} 100))"
    )
    before = sum(feature.geometry().constGet().nCoordinates() for feature in layer.getFeatures())
    bench.jobs.simplify(layer, 3.0)
    wait_until(lambda: bench.messages)
    left, right = (feature.geometry() for feature in layer.getFeatures())
    after = left.constGet().nCoordinates() + right.constGet().nCoordinates()
    assert f"{before - after} vertices removed" in bench.messages[-1]
    assert after < before / 3
    assert left.intersection(right).area() == pytest.approx(0, abs=1e-9)
    assert left.combine(right).area() == pytest.approx(4000)
    assert layer.undoStack().count() == 1


def test_polygons_that_overlap_are_not_simplified_together(bench, project):
    layer = polygon_layer(project, "Polygon ((0 0, 10 0, 10 10, 0 0))", "Polygon ((5 0, 15 0, 15 10, 5 0))")
    bench.jobs.simplify(layer, 1.0)
    wait_until(lambda: bench.messages)
    assert "2 polygons overlap" in bench.messages[-1]
    assert not layer.isEditable()


def test_new_layers_show_each_class_in_a_colour_and_keep_that(bench, project, tmp_path):
    path = tmp_path / "styled.gpkg"
    bench.jobs.new_geopackage(bench.digitizer.target, path, bench.digitizer.crs)
    for name in ("lake", "field"):
        bench.digitizer.acceptance.class_name = name
        accept_one(bench)
    layer = bench.digitizer.target.layer
    shown = [(each.value(), each.symbol().color().name()) for each in layer.renderer().categories()]
    assert [name for name, _ in shown[:2]] == ["lake", "field"]
    assert not shown[2][0]
    assert len({colour for _, colour in shown}) == 3
    assert classes_of(layer) == ("class", [("lake", "lake"), ("field", "field")])
    assert layer.commitChanges()
    again = QgsVectorLayer(layer.source(), "again", "ogr")
    assert [each.value() for each in again.renderer().categories()][:2] == ["lake", "field"]


def test_a_style_of_the_users_own_is_left_alone(bench, project):
    layer = polygon_layer(project, fields="&field=class:string")
    before = type(layer.renderer())
    bench.digitizer.set_target(layer)
    bench.digitizer.acceptance.class_name = "lake"
    accept_one(bench)
    assert type(layer.renderer()) is before


def test_nothing_to_export_is_said(bench, tmp_path):
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "x.gpkg")
    assert "nothing to export" in bench.messages[-1]


def test_an_export_into_a_geopackage_leaves_its_other_layers(bench, project, tmp_path):
    """They were gone after the file dialog's ordinary question."""
    layer = polygon_layer(project, "POLYGON((0 0, 1 0, 1 1, 0 0))")
    path = tmp_path / "town.gpkg"
    export_layer(layer, path, project)
    export_layer(layer, path, project)
    names = {each.name() for each in QgsProviderRegistry.instance().querySublayers(str(path))}
    assert names == {"town", "town_2"}


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_an_export_that_fails_leaves_the_former_file(bench, project, tmp_path, monkeypatch, suffix):
    layer = polygon_layer(project, "POLYGON((0 0, 1 0, 1 1, 0 0))")
    path = tmp_path / f"out{suffix}"
    export_layer(layer, path, project)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    failed = (QgsVectorFileWriter.WriterError.ErrCreateLayer, "no space left", "", "")
    monkeypatch.setattr(QgsVectorFileWriter, "writeAsVectorFormatV3", lambda *given: failed)
    with pytest.raises(LayerNotCreated, match="no space"):
        export_layer(layer, path, project)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_file_of_another_kind_is_not_exported_over(bench, project, tmp_path):
    path = tmp_path / "notes.gpkg"
    path.write_text("my only copy")
    with pytest.raises(RasterLassoError):
        export_layer(polygon_layer(project, "POLYGON((0 0, 1 0, 1 1, 0 0))"), path, project)
    assert path.read_text() == "my only copy"


def test_a_new_layer_in_a_geopackage_that_is_being_written_is_refused_at_once(bench, tmp_path):
    """QGIS would wait for half a minute."""
    path = tmp_path / "busy.gpkg"
    bench.jobs.new_geopackage(bench.digitizer.target, path, bench.digitizer.crs)
    bench.digitizer.target.layer.rollBack()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        bench.jobs.new_geopackage(bench.digitizer.target, path, bench.digitizer.crs)
        assert time.monotonic() - start < 2
        assert "another program is writing to it" in bench.messages[-1]
        other.execute("ROLLBACK")
    bench.jobs.new_geopackage(bench.digitizer.target, path, bench.digitizer.crs)
    assert bench.digitizer.target.layer.source().endswith("layername=features_2")
