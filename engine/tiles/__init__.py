"""Tiles: the grid that they form, and those that are encoded, in memory and on disk."""
