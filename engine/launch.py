"""Starts the engine's worker from a folder of any name: `python -I -u engine/launch.py`.

Registers the folder above as the package `rasterlasso`, whatever it is called on disk, so that relative imports work.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def register_package() -> None:
    """Make `import rasterlasso` mean this folder."""
    spec = importlib.util.spec_from_file_location("rasterlasso", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT}: the package can't be loaded from here")
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasterlasso"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    register_package()
    command = importlib.import_module("rasterlasso.engine.cli" if len(sys.argv) > 1 else "rasterlasso.engine.worker")
    sys.exit(command.main())
