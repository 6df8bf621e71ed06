"""What QGIS and the engine agree on: prompts, requests, the messages on the pipe, errors. Standard library, Python 3.9."""
