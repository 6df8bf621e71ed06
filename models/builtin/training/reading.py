"""Labelled scenes from GeoTIFF and GeoPackage, prepared once for all runs: reading hundreds of them takes minutes.

What was prepared is known by the SHA-256 of what it was made of.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from .regions import find_regions
from .scenes import Origin, Scene, Shape, halved, save

log = logging.getLogger(__name__)

PREPARED_FORM = 3
"""Of what is kept on disk; raised when it changes."""


def usable_folders(roots: Sequence[Path]) -> list[Path]:
    """Folders below the roots with an image, labels and a licence under which weights may be shipped."""
    found = []
    for root in roots:
        index = root / "INDEX.json"
        use = {each["name"]: each["use"] for each in json.loads(index.read_text())} if index.exists() else {}
        found += [
            labels.parent for labels in sorted(root.glob("*/labels.gpkg")) if use.get(labels.parent.name, "ship") == "ship"
        ]
    return found


def prepare(folders: Sequence[Path], kept: Path) -> list[Path]:
    """Prepare scenes below the folder `kept`, where they are not there yet; where each is. What else is there is deleted."""
    wanted = [_prepared(folder, kept, f"{number}/{len(folders)}") for number, folder in enumerate(folders, 1)]
    for other in set(kept.iterdir()) - set(wanted):
        shutil.rmtree(other)
    return wanted


def _prepared(folder: Path, kept: Path, progress: str) -> Path:
    digest = hashlib.sha256(f"{PREPARED_FORM} {json.dumps(_meta(folder), sort_keys=True)}".encode())
    for name in ("image.tif", "labels.gpkg"):
        digest.update((folder / name).read_bytes())
    target = kept / f"{folder.name}-{digest.hexdigest()[:16]}"
    if not target.exists():
        log.info("preparing scene %s: %s", progress, folder.name)
        partial = kept / f".{target.name}-{os.getpid()}"
        partial.mkdir(parents=True)
        save(read(folder), partial)
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():
                raise
            shutil.rmtree(partial)
    return target


def read(folder: Path) -> Scene:
    """The scene of a folder with `image.tif`, `labels.gpkg` and maybe `META.json`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(folder / "image.tif") as source:
            image = np.ascontiguousarray(source.read([1, 2, 3]).transpose(1, 2, 0))
            to_pixel = ~source.transform
    meta = _meta(folder)
    labels = geopandas.read_file(folder / "labels.gpkg")
    objects = [
        Shape.of([np.column_stack(to_pixel @ np.asarray(ring.coords)[:, :2].T) for ring in (part.exterior, *part.interiors)])
        for geometry in labels.geometry
        for part in getattr(geometry, "geoms", [geometry])
    ]
    origin = Origin.of(folder.name, meta)
    regions = [] if origin.family == "thing" else find_regions(image, [shape.rings for shape in objects])
    return Scene(folder.name, origin, halved(image), tuple(objects), tuple(Shape.of(rings) for rings in regions))


def _meta(folder: Path) -> dict[str, Any]:
    """What META.json says of a scene, and over it the INDEX.json of the collection."""
    known: dict[str, Any] = {}
    if (folder / "META.json").exists():
        known |= json.loads((folder / "META.json").read_text())
    if (folder.parent / "INDEX.json").exists():
        entries = json.loads((folder.parent / "INDEX.json").read_text())
        known |= next((each for each in entries if each["name"] == folder.name), {})
    return known
