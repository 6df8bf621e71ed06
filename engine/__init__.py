"""The engine: clicks in map coordinates to polygons in the raster's CRS, in a process of its own."""
