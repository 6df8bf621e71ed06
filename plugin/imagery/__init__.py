"""From a raster layer of QGIS to what the engine opens, and how it is looked at."""
