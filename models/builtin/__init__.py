"""The model that ships with Raster Lasso: no download, no GPU."""
