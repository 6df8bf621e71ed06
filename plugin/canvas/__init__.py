"""What happens on the map canvas: mouse and keys, the preview."""
