"""Segmentation models behind one Protocol: a tile is encoded once, then decoded for each set of prompts."""
