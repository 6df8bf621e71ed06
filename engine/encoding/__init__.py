"""Encoded tiles: kept, or made now, or made ahead."""
