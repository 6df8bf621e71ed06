"""Target layers: making them, and adding a polygon through the edit buffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCsException,
    QgsDistanceArea,
    QgsFeature,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsProject,
    QgsVectorDataProvider,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QVariant

from .errors import CoordinatesUntransformable, LayerNotCreated, TargetNotPolygon, TargetReadOnly, TargetRefused
from .imagery import transform_between
from .translation import tr

GEOPACKAGE_LAYER = "features"


def new_fields() -> QgsFields:
    """Fields of the layers that the plugin makes."""
    fields = QgsFields()
    fields.append(QgsField("class", QVariant.String))
    fields.append(QgsField("area_m2", QVariant.Double))
    fields.append(QgsField("score", QVariant.Double))
    fields.append(QgsField("model", QVariant.String))
    return fields


def new_scratch_layer(crs: QgsCoordinateReferenceSystem) -> QgsVectorLayer:
    """A memory layer, not yet in the project."""
    layer = QgsVectorLayer("MultiPolygon", tr("Lasso features"), "memory")
    layer.setCrs(crs)
    layer.dataProvider().addAttributes(new_fields().toList())
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
    writer = QgsVectorFileWriter.create(str(path), new_fields(), QgsWkbTypes.Type.MultiPolygon, crs, context, options)
    error, reason = writer.hasError(), writer.errorMessage()
    del writer  # closes the file
    layer = QgsVectorLayer(f"{path}|layername={options.layerName}", path.stem, "ogr")
    if error != QgsVectorFileWriter.WriterError.NoError or not layer.isValid():
        raise LayerNotCreated(path=str(path), reason=reason or tr("it can't be opened"))
    return layer


def _free_layer_name(path: Path) -> str:
    """The usual name, with a number where the file has such a layer: existing layers are never overwritten."""
    if not path.exists():
        return GEOPACKAGE_LAYER
    container = QgsVectorLayer(str(path), "", "ogr")
    provider = container.dataProvider()
    taken = {entry.split("!!::!!")[1] for entry in provider.subLayers()} if provider else set()
    name, number = GEOPACKAGE_LAYER, 1
    while name in taken:
        number += 1
        name = f"{GEOPACKAGE_LAYER}_{number}"
    return name


def check_target(layer: QgsVectorLayer) -> None:
    """Raise `TargetNotPolygon` or `TargetReadOnly` where polygons can't go."""
    if layer.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
        raise TargetNotPolygon(layer=layer.name())
    provider = layer.dataProvider()
    if not layer.isValid() or provider is None:
        raise TargetReadOnly(layer=layer.name(), reason=tr("its data source is missing"))
    if layer.readOnly() or not provider.capabilities() & QgsVectorDataProvider.Capability.AddFeatures:
        raise TargetReadOnly(layer=layer.name(), reason=tr("it is read-only"))


def add_polygon(
    layer: QgsVectorLayer,
    geometry: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    attributes: Mapping[str, object],
    project: QgsProject,
) -> QgsFeature:
    """Add a polygon (in `crs`) to the layer's edit buffer in one undo command, starting an edit session if there is none.

    attributes: by field name; `area_m2` is filled in; those the layer has no field for are left out. Nothing is committed.
    Raises `TargetNotPolygon`, `TargetReadOnly`, `TargetRefused`, `CoordinatesUntransformable`.
    """
    check_target(layer)
    moved = QgsGeometry(geometry)
    try:
        moved.transform(transform_between(crs, layer.crs(), project.transformContext()))
    except QgsCsException as error:
        raise CoordinatesUntransformable(source=crs.authid(), target=layer.crs().authid(), reason=str(error)) from error
    fitting = moved.coerceToType(layer.wkbType())
    if len(fitting) != 1:
        raise TargetRefused(layer=layer.name(), reason=tr("it takes single polygons, and this one has several parts"))
    known = {**attributes, "area_m2": area_m2(geometry, crs, project)}
    by_index = {layer.fields().lookupField(name): value for name, value in known.items() if value is not None}
    by_index.pop(-1, None)
    if not layer.isEditable() and not layer.startEditing():
        raise TargetReadOnly(layer=layer.name(), reason=tr("no edit session could be started"))
    feature = QgsVectorLayerUtils.createFeature(layer, fitting[0], by_index, layer.createExpressionContext())
    with _edit_command(layer, tr("Add feature with Raster Lasso")):
        if not layer.addFeature(feature):
            raise TargetRefused(layer=layer.name(), reason="; ".join(layer.dataProvider().errors()) or tr("no reason given"))
    layer.triggerRepaint()
    return feature


@contextmanager
def _edit_command(layer: QgsVectorLayer, name: str) -> Iterator[None]:
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
