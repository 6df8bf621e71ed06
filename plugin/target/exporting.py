"""A layer into a file of another format."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from ...contract.replacing import put_file, put_layer, put_shapefile
from ..errors import LayerNotCreated
from ..geo.transforms import transform_between
from ..translation import tr
from .new_layers import free_layer_name


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
    """Write a layer, edits included, in the format of the suffix and the layer's own CRS.

    In a GeoPackage that is there it becomes a new layer; another file is replaced once the new one is whole. Raises
    `LayerNotCreated` and `OutputUnwritable`, and leaves what is there as it was.
    """
    _refuse_open_file(path, project)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = QgsVectorFileWriter.driverForExtension(path.suffix.lstrip("."))
    options.fileEncoding = "UTF-8"
    options.attributes = _exported_fields(layer)
    options.skipAttributeCreation = not options.attributes
    if not options.driverName:
        raise LayerNotCreated(path=str(path), reason=tr("no format has this suffix"))
    options.layerName = free_layer_name(path, path.stem) if options.driverName == "GPKG" else path.stem
    if options.driverName == "GeoJSON":  # RFC 7946: longitude and latitude
        options.ct = transform_between(layer.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), project.transformContext())
        options.layerOptions = ["RFC7946=YES"]

    def write(made: Path) -> None:
        if made.exists():
            options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
        error, reason, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(made), project.transformContext(), options)
        if error != QgsVectorFileWriter.WriterError.NoError:
            raise LayerNotCreated(path=str(path), reason=reason)

    put = {".gpkg": put_layer, ".shp": put_shapefile}.get(path.suffix.lower(), put_file)
    put(path, write)
