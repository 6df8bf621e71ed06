"""The user's weights: published ones, downloads, folders, the authors' own files."""
