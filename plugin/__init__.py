"""Everything that runs inside QGIS: PyQGIS and the standard library only."""
