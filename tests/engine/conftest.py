import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import settings

from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.tests.checkpoints import write_checkpoint

os.environ["RASTERLASSO_MODELS"] = "/nonexistent"  # the user's own models are no part of the tests
os.environ["RASTERLASSO_CACHE"] = "off"  # nor are tiles of earlier runs

collect_ignore = [] if find_spec("ultralytics") else ["extras"]  # a lane of its own has the extra libraries

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

# CI tries the same examples each time: what it says is about the change. Elsewhere each run tries new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)  # behaviour, not seconds: other work may have the cores
settings.load_profile("ci" if os.environ.get("CI") else "here")

UTM = Affine(2.0, 0, 500_000.0, 0, -2.0, 4_500_000.0)


@pytest.fixture(scope="session")
def data():
    """Real labelled imagery, kept outside the project."""
    if not DATA.is_dir():
        pytest.skip(f"no labelled imagery at {DATA}")
    return DATA


@pytest.fixture
def segmenter():
    made = Segmenter()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Where the models are that a user adds."""
    monkeypatch.setenv("RASTERLASSO_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture(scope="session")
def sam_folder(tmp_path_factory):
    """Gives a folder with a narrow random checkpoint of a family."""
    root = tmp_path_factory.mktemp("checkpoints")

    def folder(kind):
        made = root / kind
        if not made.exists():
            write_checkpoint(kind, made)
        return made

    return folder


@pytest.fixture
def make_raster(tmp_path):
    """Writes a GeoTIFF from a (bands, rows, columns) array; a `name`, `transform`, `crs` and any of rasterio's options."""

    def make(data, name="image.tif", *, transform=UTM, crs="EPSG:32613", **options):
        bands, rows, cols = data.shape
        path = tmp_path / name
        options = {"count": bands, "height": rows, "width": cols, "dtype": data.dtype, "crs": crs, **options}
        mask = options.pop("mask", None)
        with rasterio.open(path, "w", driver="GTiff", transform=transform, **options) as dataset:
            dataset.write(data)
            if mask is not None:
                dataset.write_mask(mask)
        return path

    return make


@pytest.fixture
def field_image():
    """A bright field of 120 × 80 px at row 100, column 60 of a dark, slightly noisy plain: (3, 300, 400) uint8."""
    noise = np.random.default_rng(7).integers(0, 8, (3, 300, 400))
    image = 50 + noise
    image[:, 100:180, 60:180] += 110
    return image.astype(np.uint8)
