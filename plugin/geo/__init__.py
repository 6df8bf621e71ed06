"""Coordinates, reference systems and measures in QGIS's terms."""
