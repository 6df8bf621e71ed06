"""New layers for polygons: in memory, or in a GeoPackage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ..errors import LayerNotCreated
from ..translation import tr
from .provenance import provenance_fields

GEOPACKAGE_LAYER = "features"

LOCK_S = 0.2
"""So long another program's writing is waited for."""


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
        address = f"file:{quote(path.absolute().as_posix())}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=LOCK_S, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")  # QGIS itself would wait for another program for half a minute
            database.execute("ROLLBACK")
            taken = {name.casefold() for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        is_locked = "locked" in str(error) or "busy" in str(error)
        reason = tr("another program is writing to it; try again when it has finished") if is_locked else str(error)
        raise LayerNotCreated(path=str(path), reason=reason) from error
    name, number = wanted, 1
    while name.casefold() in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
