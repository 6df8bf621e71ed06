"""Labelled scenes: what they show, where they come from, and how far their outlines can be trusted.

On disk a prepared scene is a folder: its image, halved again and again, as arrays that are mapped into memory, and its outlines
in `scene.json`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

SMALLEST_MIPMAP_PX = 320

FAMILIES = ("field", "roof", "water", "crown", "thing")
"""What a scene is drawn for. `thing` is what photographs, microscopes and clouds show: it teaches what an object is."""

_FAMILY_OF_CLASS = {
    "field": "field",
    "building": "roof",
    "water": "water",
    "island": "water",
    "land": "water",
    "tree": "crown",
}

_UNCERTAIN_PX = {
    "human": 0.0,
    "human, moved per object": 2.5,
    "human, coarse": 2.5,
    "semi-automatic": 1.0,
    "vector map": 1.0,
    "reference mask, rough": 2.5,
}
"""Width of the band along an outline in which the label may be wrong, in pixels of the scene, by who drew it."""

_UPSAMPLED_SOURCES = {"danube": 3.0, "tucurui": 3.0}
"""Scenes that were enlarged before they were labelled: the same width, in their pixels."""

_TRUSTED = ("human",)
"""Whose outlines are good enough to learn where exactly a border runs."""

_COARSEST = {"field": 40.0, "roof": 40.0, "water": 6.0, "crown": 1.5, "thing": 1.5}
_COARSEST_OF_SOURCE = {"bluemarble": 1.5}
"""The coarsest sensor that a scene may be seen through, in its own pixels: what its outlines still mean something for."""


@dataclass(frozen=True)
class Shape:
    """Outline of an object: (n, 2) rings in scene pixels, x first, filled by the even-odd rule."""

    rings: tuple[npt.NDArray[np.float64], ...]
    bounds: tuple[float, float, float, float]

    @classmethod
    def of(cls, rings: Sequence[npt.NDArray[np.float64]]) -> Shape:
        """Of rings, the outer one first."""
        (x0, y0), (x1, y1) = rings[0].min(axis=0), rings[0].max(axis=0)
        return cls(tuple(rings), (float(x0), float(y0), float(x1), float(y1)))

    @property
    def side_px(self) -> float:
        """The longer side."""
        x0, y0, x1, y1 = self.bounds
        return max(x1 - x0, y1 - y0)


@dataclass(frozen=True)
class Origin:
    """What is known of a scene besides its pixels and outlines.

    source: scenes of one source share sensor, place or labelling; validation keeps whole sources apart. family: one of
    `FAMILIES`. weight: how often the source is drawn beside others of its family. uncertain_px: half-width of the band along
    outlines in which labels may be wrong, in pixels of the scene. is_trusted: whether outlines teach where a border runs.
    coarsest: the largest pixel of a sensor that the scene may be seen through, in pixels of the scene.
    """

    source: str
    family: str
    weight: float
    uncertain_px: float
    is_trusted: bool
    coarsest: float

    @classmethod
    def of(cls, name: str, meta: dict[str, Any]) -> Origin:
        """From a scene's META.json, whose entries may be missing."""
        classes = meta.get("classes") or meta.get("class") or {}
        first = max(classes, key=lambda each: classes[each]) if classes else "thing"
        is_photograph = meta.get("domain") == "natural"
        family = "thing" if is_photograph else _FAMILY_OF_CLASS.get(first, "thing")
        source = meta.get("source_id") or re.sub(r"_t?\d+$", "", name)
        trust = meta.get("trust", "human")
        return cls(
            source=source,
            family=family,
            weight=float(meta.get("weight", 1.0)),
            uncertain_px=_UPSAMPLED_SOURCES.get(source, _UNCERTAIN_PX.get(trust, 2.5)) + (family == "thing"),
            is_trusted=trust in _TRUSTED and family != "thing",
            coarsest=_COARSEST_OF_SOURCE.get(source, _COARSEST[family]),
        )


@dataclass(frozen=True)
class Scene:
    """A scene's image, halved again and again, with its labelled objects and the regions found outside of them."""

    name: str
    origin: Origin
    mipmaps: tuple[Image, ...]
    objects: tuple[Shape, ...]
    regions: tuple[Shape, ...]

    @property
    def size_wh_px(self) -> tuple[int, int]:
        """Columns and rows."""
        rows, cols = self.mipmaps[0].shape[:2]
        return cols, rows


def load(prepared: Path) -> Scene:
    """A prepared scene; its images stay on disk until they are used."""
    known = json.loads((prepared / "scene.json").read_text())
    mipmaps = tuple(np.load(prepared / f"{level}.npy", mmap_mode="r") for level in range(known["levels"]))
    objects, regions = (tuple(_from_lists(each)) for each in (known["objects"], known["regions"]))
    return Scene(known["name"], Origin(**known["origin"]), mipmaps, objects, regions)


def digest_of(prepared: Sequence[Path]) -> str:
    """SHA-256 of which scenes there are and what they were made of."""
    return hashlib.sha256("\n".join(sorted(path.name for path in prepared)).encode()).hexdigest()


def save(scene: Scene, folder: Path) -> None:
    """Write a prepared scene into a folder."""
    save_images(scene.mipmaps, folder)
    (folder / "scene.json").write_text(described(scene))


def save_images(mipmaps: Sequence[Image], folder: Path) -> None:
    """The part of `save` that holds pixels."""
    for level, image in enumerate(mipmaps):
        np.save(folder / f"{level}.npy", image)


def described(scene: Scene) -> str:
    """The part of `save` that holds outlines, as JSON."""
    objects, regions = (
        [[ring.round(3).tolist() for ring in shape.rings] for shape in shapes] for shapes in (scene.objects, scene.regions)
    )
    known = {"name": scene.name, "origin": asdict(scene.origin), "levels": len(scene.mipmaps)}
    return json.dumps({**known, "objects": objects, "regions": regions})


def halved(image: Image) -> tuple[Image, ...]:
    """An image, halved again and again until its shorter side is short."""
    mipmaps = [image]
    while min(mipmaps[-1].shape[:2]) > SMALLEST_MIPMAP_PX:
        rows, cols = mipmaps[-1].shape[:2]
        mipmaps.append(np.asarray(cv2.resize(mipmaps[-1], (cols // 2, rows // 2), interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(mipmaps)


def _from_lists(shapes: list[list[list[list[float]]]]) -> Iterator[Shape]:
    for rings in shapes:
        yield Shape.of([np.array(ring, np.float64).reshape(-1, 2) for ring in rings])
