"""Prepared scenes in one small file, to train on a machine that has neither the scenes nor the libraries that read them.

Images are packed as JPEG of high quality, at their full size or halved where they are larger than any view needs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from .scenes import Scene, Shape, described, halved, load, save_images

QUALITY = 93
MOST_SIDE_PX = 4096
"""Scenes larger than that are halved."""


def pack(prepared: Sequence[Path], file: Path) -> int:
    """Pack prepared scenes; the file's size in bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in prepared:
            scene = _reduced(load(path))
            _, packed = cv2.imencode(".jpg", scene.mipmaps[0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            archive.writestr(f"{path.name}/image.jpg", packed.tobytes(), zipfile.ZIP_STORED)
            archive.writestr(f"{path.name}/scene.json", described(scene))
    return file.stat().st_size


def unpack(file: Path, folder: Path) -> list[Path]:
    """Prepared scenes again, below a folder; where each is."""
    found = []
    with zipfile.ZipFile(file) as archive:
        for name in sorted({Path(each).parts[0] for each in archive.namelist()}):
            target = folder / name
            target.mkdir(parents=True)
            pixels = np.frombuffer(archive.read(f"{name}/image.jpg"), np.uint8)
            image = np.asarray(cv2.imdecode(pixels, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
            save_images(halved(np.ascontiguousarray(image)), target)
            (target / "scene.json").write_bytes(archive.read(f"{name}/scene.json"))
            found.append(target)
    return found


def _reduced(scene: Scene) -> Scene:
    """The scene at the largest of its sizes that is small enough."""
    level = next(n for n, image in enumerate(scene.mipmaps) if max(image.shape[:2]) <= MOST_SIDE_PX)
    mipmaps = tuple(np.asarray(image) for image in scene.mipmaps[level:])
    scale = mipmaps[0].shape[1] / scene.mipmaps[0].shape[1]
    origin = replace(scene.origin, uncertain_px=scene.origin.uncertain_px * scale)
    objects, regions = (
        tuple(Shape.of([ring * scale for ring in shape.rings]) for shape in shapes) for shapes in (scene.objects, scene.regions)
    )
    return Scene(scene.name, origin, mipmaps, objects, regions)
