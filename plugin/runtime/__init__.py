"""The engine's process and its Python environment."""
