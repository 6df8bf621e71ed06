"""From prompts to a polygon: what lives from click to click."""
