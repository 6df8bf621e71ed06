"""New layers for polygons: in memory, or in a GeoPackage."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ...contract.errors import OutputUnwritable
from ...contract.replacing import writable_geopackage
from ..errors import LayerNotCreated
from ..translation import tr
from .provenance import provenance_fields

GEOPACKAGE_LAYER = "features"

LOCK_S = 0.2
"""So long another program's writing is waited for; QGIS itself would wait for half a minute."""


def new_scratch_layer(crs: QgsCoordinateReferenceSystem, kind: str = "MultiPolygon") -> QgsVectorLayer:
    """A memory layer of a kind of geometry, not yet in the project."""
    layer = QgsVectorLayer(kind, tr("Lasso features"), "memory")
    layer.setCrs(crs)
    layer.dataProvider().addAttributes(provenance_fields().toList())
    layer.updateFields()
    return layer


def new_geopackage_layer(path: Path, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> QgsVectorLayer:
    """A layer in a new GeoPackage, or a new layer in an existing one, not yet in the project; raises `LayerNotCreated`."""
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = free_layer_name(path)
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


def free_layer_name(path: Path, wanted: str = GEOPACKAGE_LAYER) -> str:
    """A name for a new layer, with a number where the file has such a table, in any case: existing ones are never overwritten.

    Raises `LayerNotCreated` where the tables can't be told.
    """
    if not path.exists():
        return wanted
    try:
        with writable_geopackage(path, LOCK_S) as database:
            taken = {name.casefold() for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except OutputUnwritable as error:
        raise LayerNotCreated(path=str(path), reason=error.params["reason"]) from error
    name, number = wanted, 1
    while name.casefold() in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
