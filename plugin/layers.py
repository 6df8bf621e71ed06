"""Target layers: making them, and adding a polygon through the edit buffer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDistanceArea,
    QgsFeature,
    QgsFeatureRequest,
    QgsFieldConstraints,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsUnitTypes,
    QgsVectorDataProvider,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

from ..engine.errors import RasterLassoError
from .errors import LayerNotCreated, TargetReadOnly, TargetRefused, TargetUnfit
from .imagery import transform_between, transformed_shape
from .lines import HasData, outline_as_lines
from .provenance import provenance_fields
from .topology import with_shared_borders
from .translation import tr

GEOPACKAGE_LAYER = "features"


def new_scratch_layer(crs: QgsCoordinateReferenceSystem) -> QgsVectorLayer:
    """A memory layer, not yet in the project."""
    layer = QgsVectorLayer("MultiPolygon", tr("Lasso features"), "memory")
    layer.setCrs(crs)
    layer.dataProvider().addAttributes(provenance_fields().toList())
    layer.updateFields()
    return layer


def new_geopackage_layer(path: Path, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> QgsVectorLayer:
    """A layer in a new GeoPackage, or a new layer in an existing one, not yet in the project; raises `LayerNotCreated`."""
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = _free_layer_name(path)
    options.fileEncoding = "UTF-8"
    if path.exists():
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    context = project.transformContext()
    writer = QgsVectorFileWriter.create(str(path), provenance_fields(), QgsWkbTypes.Type.MultiPolygon, crs, context, options)
    error, reason = writer.hasError(), writer.errorMessage()
    del writer  # closes the file
    layer = QgsVectorLayer(f"{path}|layername={options.layerName}", path.stem, "ogr")
    if error != QgsVectorFileWriter.WriterError.NoError or not layer.isValid():
        raise LayerNotCreated(path=str(path), reason=reason or tr("it can't be opened"))
    return layer


def _free_layer_name(path: Path) -> str:
    """The usual name, with a number where the file has such a table, in any case: existing ones are never overwritten.

    Raises `LayerNotCreated` where the tables can't be told.
    """
    if not path.exists():
        return GEOPACKAGE_LAYER
    try:
        with closing(sqlite3.connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)) as database:
            taken = {name.casefold() for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise LayerNotCreated(path=str(path), reason=str(error)) from error
    name, number = GEOPACKAGE_LAYER, 1
    while name in taken:
        number += 1
        name = f"{GEOPACKAGE_LAYER}_{number}"
    return name


def check_target(layer: QgsVectorLayer) -> None:
    """Raise `TargetUnfit` or `TargetReadOnly` where neither polygons nor their outlines can go."""
    areas_or_lines = (QgsWkbTypes.GeometryType.PolygonGeometry, QgsWkbTypes.GeometryType.LineGeometry)
    if layer.geometryType() not in areas_or_lines:
        raise TargetUnfit(layer=layer.name())
    provider = layer.dataProvider()
    if not layer.isValid() or provider is None:
        raise TargetReadOnly(layer=layer.name(), reason=tr("its data source is missing"))
    if layer.readOnly() or not provider.capabilities() & QgsVectorDataProvider.Capability.AddFeatures:
        raise TargetReadOnly(layer=layer.name(), reason=tr("it is read-only"))


DATA_REACH = 1.5
"""Pixels of its level from an outline in which data may end."""


@dataclass(frozen=True)
class Placing:
    """How a polygon is put into a layer.

    share_within_m: borders are taken over from neighbours this near, None for not at all. has_data: where the imagery (in the
    polygon's CRS) shows something, and pixel: size of its pixels at the polygon's level; lines leave out where it ends.
    replaces: the feature whose shape the polygon becomes. attribution: of the imagery.
    """

    share_within_m: float | None = None
    has_data: HasData = lambda place: True
    pixel: float = 0.0
    replaces: int | None = None
    attribution: str = ""


def put_polygons(
    layer: QgsVectorLayer,
    geometries: Sequence[QgsGeometry],
    crs: QgsCoordinateReferenceSystem,
    attributes: Mapping[str, object],
    project: QgsProject,
    placing: Placing = Placing(),
) -> list[QgsFeature]:
    """Put polygons (in `crs`) into the layer's edit buffer in one undo command, starting an edit session if there is none.

    A line layer gets their outlines. attributes: by field name; `area_m2` is filled in; those the layer has no field for are
    left out; a replaced feature keeps all others, and takes the largest polygon. Nothing is committed, and nothing is changed
    where an error is raised: `TargetUnfit`, `TargetReadOnly`, `TargetRefused`, `CoordinatesUntransformable`.
    """
    check_target(layer)
    is_ours = not layer.isEditable()
    if is_ours and not layer.startEditing():
        raise TargetReadOnly(layer=layer.name(), reason=tr("no edit session could be started"))
    largest_first = sorted(geometries, key=lambda geometry: -geometry.area())
    try:
        with edit_command(layer, tr("Digitize with Raster Lasso")):
            found = []
            for index, geometry in enumerate(largest_first):
                own = placing if index == 0 else replace(placing, replaces=None)
                found += _put(layer, geometry, crs, attributes, project, own)
    except RasterLassoError:
        if is_ours:
            layer.rollBack()
        raise
    layer.triggerRepaint()
    return found


def _put(
    layer: QgsVectorLayer,
    geometry: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    attributes: Mapping[str, object],
    project: QgsProject,
    placing: Placing,
) -> list[QgsFeature]:
    """One feature, or as many as an outline has lines where the layer takes one each."""
    is_line = layer.geometryType() == QgsWkbTypes.GeometryType.LineGeometry
    shape = outline_as_lines(geometry, placing.has_data, DATA_REACH * placing.pixel) if is_line else geometry
    moved = transformed_shape(shape, transform_between(crs, layer.crs(), project.transformContext()))
    neighbours: dict[int, QgsGeometry] = {}
    if placing.share_within_m is not None and not is_line:
        tolerance = in_map_units(placing.share_within_m, layer.crs())
        moved, neighbours = with_shared_borders(moved, layer, tolerance, placing.replaces)
        if moved.isEmpty():
            raise TargetRefused(layer=layer.name(), reason=tr("its neighbours cover all of it; borders are shared with them"))
    fitting = moved.coerceToType(layer.wkbType())
    if len(fitting) != 1 and not is_line:
        raise TargetRefused(layer=layer.name(), reason=tr("it takes shapes of one part, and this one has several"))
    is_shared = placing.share_within_m is not None and not is_line
    area = area_m2(moved, layer.crs(), project) if is_shared else area_m2(geometry, crs, project)
    by_index = _by_index(layer, {**attributes, "area_m2": area})
    for each, fitted in neighbours.items():
        layer.changeGeometry(each, fitted)
    if not fitting or fitting[0].isEmpty():
        raise TargetRefused(layer=layer.name(), reason=tr("all of the outline is the imagery's frame or borders on nodata"))
    if placing.replaces is None:
        return [_added(layer, part, by_index) for part in fitting]
    replaced = _replaced(layer, placing.replaces, fitting[0], by_index)
    return [replaced, *(_added(layer, part, by_index) for part in fitting[1:])]


def _added(layer: QgsVectorLayer, geometry: QgsGeometry, by_index: dict[int, object]) -> QgsFeature:
    feature = QgsVectorLayerUtils.createFeature(layer, geometry, by_index, layer.createExpressionContext())
    for index, known in enumerate(layer.fields()):
        strict = QgsFieldConstraints.ConstraintStrength.ConstraintStrengthHard
        is_good, reasons = QgsVectorLayerUtils.validateAttribute(layer, feature, index, strict)
        if not is_good:
            raise TargetRefused(layer=layer.name(), reason=f"{known.name()}: {'; '.join(reasons)}")
    if not layer.addFeature(feature):
        raise TargetRefused(layer=layer.name(), reason="; ".join(layer.dataProvider().errors()) or tr("no reason given"))
    return feature


def _replaced(layer: QgsVectorLayer, feature_id: int, geometry: QgsGeometry, by_index: dict[int, object]) -> QgsFeature:
    if not layer.changeGeometry(feature_id, geometry):
        raise TargetRefused(layer=layer.name(), reason=tr("the feature is not there any more"))
    for index, value in by_index.items():
        layer.changeAttributeValue(feature_id, index, value)
    return layer.getFeature(feature_id)


def _by_index(layer: QgsVectorLayer, attributes: Mapping[str, object]) -> dict[int, object]:
    found = {layer.fields().lookupField(name): value for name, value in attributes.items() if value is not None}
    found.pop(-1, None)
    return found


def in_map_units(metres: float, crs: QgsCoordinateReferenceSystem) -> float:
    """A length on the ground, roughly where the CRS is in degrees."""
    return metres * QgsUnitTypes.fromUnitToUnitFactor(QgsUnitTypes.DistanceUnit.DistanceMeters, crs.mapUnits())


def feature_at(layer: QgsVectorLayer, place: QgsPointXY) -> QgsFeature | None:
    """The smallest polygon at a place in the layer's CRS."""
    point = QgsGeometry.fromPointXY(place)
    near = QgsRectangle(place, place)
    near.grow(1e-9)
    there = [feature for feature in layer.getFeatures(QgsFeatureRequest(near)) if feature.geometry().contains(point)]
    return min(there, key=lambda feature: feature.geometry().area(), default=None)


def can_write(path: Path) -> bool:
    """Whether QGIS's own GDAL writes the format of a suffix."""
    return bool(QgsVectorFileWriter.driverForExtension(path.suffix.lstrip(".")))


def _refuse_open_file(path: Path, project: QgsProject) -> None:
    """Raise `LayerNotCreated` where a layer of the project is read from the file: it would be lost while it is read."""
    for other in project.mapLayers().values():
        source = other.source().split("|")[0]
        if os.path.isfile(source) and path.is_file() and path.samefile(source):  # noqa: PTH113 - pathlib raises for long ones
            raise LayerNotCreated(path=str(path), reason=tr("the layer {layer} is read from it").format(layer=other.name()))


def _exported_fields(layer: QgsVectorLayer) -> list[int]:
    """All but the key of files, and of databases while features wait for one: its number is not there yet."""
    is_waiting = layer.editBuffer() is not None and bool(layer.editBuffer().addedFeatures())
    without = set(layer.primaryKeyAttributes()) if is_waiting or layer.providerType() == "ogr" else set()
    return [index for index in layer.fields().allAttributesList() if index not in without]


def export_layer(layer: QgsVectorLayer, path: Path, project: QgsProject) -> None:
    """Write a layer, edits included, in the format of the suffix and the layer's own CRS; raises `LayerNotCreated`."""
    _refuse_open_file(path, project)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = QgsVectorFileWriter.driverForExtension(path.suffix.lstrip("."))
    options.fileEncoding = "UTF-8"
    options.layerName = path.stem
    options.attributes = _exported_fields(layer)
    options.skipAttributeCreation = not options.attributes
    if not options.driverName:
        raise LayerNotCreated(path=str(path), reason=tr("no format has this suffix"))
    if options.driverName == "GeoJSON":  # RFC 7946: longitude and latitude
        options.ct = transform_between(layer.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), project.transformContext())
        options.layerOptions = ["RFC7946=YES"]
    error, reason, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(path), project.transformContext(), options)
    if error != QgsVectorFileWriter.WriterError.NoError:
        raise LayerNotCreated(path=str(path), reason=reason)


@contextmanager
def edit_command(layer: QgsVectorLayer, name: str) -> Iterator[None]:
    """What is done to a layer within is undone at once, and not done where an error is raised."""
    layer.beginEditCommand(name)
    try:
        yield
    except BaseException:
        layer.destroyEditCommand()
        raise
    layer.endEditCommand()


def area_m2(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> float | None:
    """Area on the CRS's ellipsoid in m²; None without a CRS."""
    if not crs.isValid():
        return None
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, project.transformContext())
    measure.setEllipsoid(crs.ellipsoidAcronym() or "EPSG:7030")
    return measure.measureArea(geometry)
