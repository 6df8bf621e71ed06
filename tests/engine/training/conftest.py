"""Small scenes for the tests of training, prepared and loaded."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from rasterlasso.models.builtin.training import (
    reading,
    scenes,
)
from rasterlasso.models.builtin.training.sampler import Sampler

UTM = Affine(2, 0, 500_000, 0, -2, 4_500_000)


def write_scene(place, shapes, image, meta):
    place.mkdir(parents=True)
    rows, cols = image.shape[1:]
    with rasterio.open(place / "image.tif", "w", "GTiff", cols, rows, 3, "EPSG:32613", UTM, "uint8") as dataset:
        dataset.write(image.astype(np.uint8))
    to_map = [2, 0, 0, -2, 500_000, 4_500_000]
    labels = geopandas.GeoSeries([shapely.affinity.affine_transform(s, to_map) for s in shapes], crs="EPSG:32613")
    labels.to_file(place / "labels.gpkg", layer="labels")
    (place / "META.json").write_text(json.dumps(meta))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Nine fields, one with a hole; the same as roofs, held apart; and a narrow river."""
    root = tmp_path_factory.mktemp("train")
    rng = np.random.default_rng(4)
    image = 60 + rng.integers(0, 20, (3, 600, 600))
    shapes = []
    for row, col in np.ndindex(3, 3):
        top, left = 30 + 190 * row, 30 + 190 * col
        image[:, top : top + 150, left : left + 150] += rng.integers(20, 110, (3, 1, 1))
        shapes.append(shapely.box(left, top, left + 150, top + 150))
    shapes[4] = shapes[4].difference(shapely.box(280, 280, 320, 320))
    write_scene(root / "fields_one", shapes, image, {"classes": {"field": 9}})
    write_scene(
        root / "roofs", shapes, image, {"classes": {"building": 9}, "source_id": "nairobi", "trust": "human, moved per object"}
    )
    narrow = 60 + rng.integers(0, 20, (3, 120, 900))
    narrow[:, 50:80] += 100
    meta = {"classes": {"water": 1}, "source_id": "danube", "trust": "semi-automatic", "weight": 2}
    write_scene(root / "river", [shapely.box(0, 50, 900, 80)], narrow, meta)
    return root


@pytest.fixture(scope="module")
def prepared(data, tmp_path_factory):
    return reading.prepare(reading.usable_folders([data]), tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def loaded(prepared):
    return {scene.name: scene for scene in map(scenes.load, prepared)}


@pytest.fixture(scope="module")
def sampler(loaded):
    return Sampler(list(loaded.values()), 2)
