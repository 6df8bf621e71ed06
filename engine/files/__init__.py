"""Files of polygons and of prompts."""
