"""Outlines: from logits to valid polygons, and the cartographer's hand."""
