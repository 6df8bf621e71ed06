"""Rasters and models as the engine's tests have them."""

from rasterlasso.tests.engine.conftest import data, field_image, make_raster, sam_folder, store

__all__ = ["data", "field_image", "make_raster", "sam_folder", "store"]
