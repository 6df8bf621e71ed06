"""Data sets for training other models: chips of a raster with their labels, and what models predict on them."""
