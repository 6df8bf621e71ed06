"""Makes the repository importable as the package `rasterlasso`, whatever its folder is called."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

if "rasterlasso" not in sys.modules:
    spec = importlib.util.spec_from_file_location("rasterlasso", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasterlasso"] = package
    spec.loader.exec_module(package)


@pytest.fixture(scope="session")
def sample_image() -> Path:
    """Landsat scene of Rocky Mountain National Park, EPSG:4326, 8 bit, nodata 255."""
    path = ROOT / "build" / "sample" / "rmnp-rgb.tif"
    assert path.exists(), "run `tools/setup.sh sample` first, as `make test` does"
    return path


@pytest.fixture(scope="session")
def engine_python() -> Path:
    """Interpreter of the engine's environment."""
    path = ROOT / "build" / "venv-engine" / "bin" / "python"
    assert path.exists(), "run `tools/setup.sh engine` first, as `make test` does"
    return path
