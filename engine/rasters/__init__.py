"""Rasters: whatever GDAL opens, how it is seen, where it lies, what tells one from another."""
