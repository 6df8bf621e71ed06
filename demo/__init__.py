"""The main job, done in the real QGIS desktop with a real mouse and keyboard."""
