"""The layer that polygons go to."""
