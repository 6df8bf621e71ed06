"""Training samples: crops of labelled scenes seen through many sensors, and scenes composed of pieces of them.

Every sample follows from its seed alone, so a run can be resumed and repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ...base import Mask
from .crops import View, band_around, fill, frame_mask, inside_frame, is_near, placing, view_of, warp
from .parcels import farmland, village
from .scenery import CROP_PX, Image, canopy, coast, plain, random_shape, reservoir, shaded, shadow
from .scenes import Scene, Shape
from .sensors import sensed

SHARES = {"field": 0.26, "roof": 0.19, "water": 0.25, "crown": 0.1, "composed": 0.15, "thing": 0.05}
"""How often a sample is of each family of scenes, or composed."""

REGION_SHARE = 0.1
"""Of samples of scenes: those whose first object is an unlabelled region that stands out."""

WHOLE_SHARE = 0.15
"""Of samples of scenes: those that ask for two adjacent objects together, and for one of them apart."""

REGION_UNCERTAIN_PX = 2.0
"""Half-width of the band along the outline of a region, in pixels of the crop."""

MIN_VISIBLE_PX = 120
MIN_SHOWN_SHARE = 0.5
TOUCHING_PX = 7
"""Objects that near are adjacent."""

Masks = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A (320, 320, 3) image and m objects on it.

    masks: (m, 320, 320). unsure: (m, 320, 320) pixels where a mask may be wrong, or nobody knows. is_trusted: (m,) whether the
    outline teaches where exactly the border runs. first_in: (m,) the object in which the first click on each lies: itself,
    or a part of it.
    """

    image: Image
    masks: Mask
    unsure: Mask
    is_trusted: Mask
    first_in: npt.NDArray[np.intp]

    def enlarged(self, scale: int) -> Sample:
        """The same on (320 · scale, 320 · scale) pixels."""
        side = CROP_PX * scale
        image = np.asarray(cv2.resize(self.image, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
        masks, unsure = (
            np.stack([cv2.resize(each.astype(np.float32), (side, side)) > 0.5 for each in every])
            for every in (self.masks, self.unsure)
        )
        return Sample(image, masks, unsure, self.is_trusted, self.first_in)


@dataclass(frozen=True)
class _Drawn:
    """Masks before the sensor: as `Sample`."""

    image: Image
    masks: Masks
    unsure: Mask
    is_trusted: bool
    sensor_px: float
    has_whole: bool = False
    """Whether the first mask is the second one and another together."""


class Sampler:
    """Draws samples from scenes."""

    def __init__(self, scenes: Sequence[Scene], objects_per_image: int, shares: dict[str, float] | None = None) -> None:
        self._count = objects_per_image
        self._scenes = scenes
        self._textures = [scene for scene in scenes if scene.origin.family != "thing"] or list(scenes)
        present = {scene.origin.family for scene in scenes}
        wanted = {name: share for name, share in (shares or SHARES).items() if name in present | {"composed"}}
        self._families = list(wanted)
        self._shares = np.array(list(wanted.values())) / sum(wanted.values())
        self._sources = {family: _by_source([s for s in scenes if s.origin.family == family]) for family in present}

    def draw(self, seed: tuple[int, ...]) -> Sample:
        """The sample of a seed."""
        rng = np.random.default_rng(seed)
        family = self._families[int(rng.choice(len(self._families), p=self._shares))]
        drawn = self._compose(rng) if family == "composed" else self._crop(family, rng)
        masks, first_in = self._chosen(drawn, rng)
        trusted = np.full(len(masks), drawn.is_trusted)
        return Sample(sensed(drawn.image, drawn.sensor_px, rng), masks[:, 0] > 0, masks[:, 1] > 0, trusted, first_in)

    def _chosen(self, drawn: _Drawn, rng: np.random.Generator) -> tuple[Masks, npt.NDArray[np.intp]]:
        """(m, 2, 320, 320) masks and unsure pixels, the first always among them; and in which one each first click lies."""
        both = np.stack((drawn.masks, drawn.unsure), 1).astype(np.uint8)
        fixed = 2 if drawn.has_whole else 1
        order = np.concatenate((np.arange(fixed), fixed + rng.permutation(len(both) - fixed)))
        order = np.resize(order, self._count)
        first_in = np.arange(self._count)
        if drawn.has_whole and self._count > 1:
            first_in[0] = 1
        return both[order], first_in

    def _crop(self, family: str, rng: np.random.Generator) -> _Drawn:
        for _ in range(8):
            scene = self._scene(family, rng)
            of_region = bool(scene.regions) and (not scene.objects or rng.random() < REGION_SHARE)
            shapes = scene.regions if of_region else scene.objects
            target = shapes[int(rng.integers(len(shapes)))]
            view = view_of(target, scene, rng)
            first = fill(target, view.to_crop)
            shown = frame_mask(scene, view.to_crop)
            first *= shown
            if first.sum() >= MIN_VISIBLE_PX and shown.mean() >= MIN_SHOWN_SHARE:
                break
        masks = [first, *self._others(scene, target, view, shown, rng)]
        whole = _whole(masks) if not of_region and rng.random() < WHOLE_SHARE else None
        stacked = np.stack(masks if whole is None else [whole, *masks])
        band_px = max(scene.origin.uncertain_px * view.scale, REGION_UNCERTAIN_PX if of_region else 0.0)
        unsure = np.stack([band_around(mask, band_px) for mask in stacked]) | ~shown
        image = _beyond_frame(warp(scene, view.to_crop), shown, rng)
        return _Drawn(image, stacked, unsure, scene.origin.is_trusted and not of_region, view.sensor_px, whole is not None)

    def _scene(self, family: str, rng: np.random.Generator) -> Scene:
        """By source, then scene: those with more objects more often, but not in proportion."""
        sources = self._sources[family]
        source = sources[_pick([s[0].origin.weight * np.sqrt(sum(len(scene.objects) for scene in s)) for s in sources], rng)]
        return source[_pick([np.sqrt(len(scene.objects) + 1) for scene in source], rng)]

    def _others(self, scene: Scene, target: Shape, view: View, shown: Mask, rng: np.random.Generator) -> list[Masks]:
        """Masks of some of the other labelled objects in the crop."""
        near = [shape for shape in scene.objects if shape is not target and is_near(shape, view.to_crop)]
        found: list[Masks] = []
        for index in rng.permutation(len(near))[: 4 * self._count]:
            mask = fill(near[int(index)], view.to_crop) * shown
            if mask.sum() >= 2 * MIN_VISIBLE_PX:
                found.append(mask)
            if len(found) == 2 * self._count:
                break
        return found

    def _compose(self, rng: np.random.Generator) -> _Drawn:
        kind = rng.random()
        if kind < 0.12:
            ground = self._texture(rng) if rng.random() < 0.6 else plain(rng)
            image, masks = canopy(ground, rng)
        elif kind < 0.28:
            image, masks = coast(self._texture(rng), self._texture(rng), plain(rng), rng)
        elif kind < 0.48:
            image, masks = reservoir(self._texture(rng), plain(rng), rng)
        elif kind < 0.72:
            covers = [self._texture(rng, of_fields=True) for _ in range(int(rng.integers(1, 4)))]
            image, masks = farmland(covers[0] if rng.random() < 0.7 else plain(rng), covers[1:], rng)
        elif kind < 0.84:
            image, masks = village(self._texture(rng), rng)
        else:
            image, masks = self._patches(rng)
        if not len(masks):
            return self._crop(self._families[0], rng)
        pixel = 1.0 if rng.random() < 0.5 else float(np.exp(rng.uniform(0, np.log(7))))
        return _Drawn(image, masks, np.zeros(masks.shape, np.bool_), is_trusted=True, sensor_px=pixel)

    def _patches(self, rng: np.random.Generator) -> tuple[Image, Masks]:
        """Shapes cut out of one scene and laid on another, as lakes, crowns, islands and roofs lie in the land."""
        image = self._texture(rng) if rng.random() < 0.75 else plain(rng)
        taken = np.zeros((CROP_PX, CROP_PX), np.uint8)
        masks = []
        for _ in range(int(rng.integers(2, 5))):
            mask = random_shape(rng)
            mask[taken > 0] = 0
            if not MIN_VISIBLE_PX <= mask.sum() <= 0.8 * mask.size:
                continue
            other = self._texture(rng) if rng.random() < 0.6 else plain(rng)
            if rng.random() < 0.3:
                other = shaded(other, mask, rng)
            alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.5)))[..., None]
            if rng.random() < 0.3:
                image = shadow(image, mask, rng)
            image = (image * (1 - alpha) + other * alpha).astype(np.uint8)
            taken |= mask
            masks.append(mask)
        return image, np.array(masks, np.uint8)

    def _texture(self, rng: np.random.Generator, *, of_fields: bool = False) -> Image:
        """Anywhere in any scene; of_fields: mostly in one that shows fields."""
        fields = [scene for scene in self._textures if scene.origin.family == "field"]
        pool = fields if of_fields and fields and rng.random() < 0.75 else self._textures
        scene = pool[int(rng.integers(len(pool)))]
        width, height = scene.size_wh_px
        scale = float(np.exp(rng.uniform(np.log(0.3), np.log(1.5))))
        return warp(scene, inside_frame(placing(rng.uniform(0, width), rng.uniform(0, height), scale, rng), scene.size_wh_px))


def _by_source(scenes: Sequence[Scene]) -> list[list[Scene]]:
    return [[s for s in scenes if s.origin.source == source] for source in sorted({s.origin.source for s in scenes})]


def _pick(weights: Sequence[float], rng: np.random.Generator) -> int:
    shares = np.array(weights, np.float64)
    return int(rng.choice(len(shares), p=shares / shares.sum()))


def _whole(masks: list[Masks]) -> Masks | None:
    """The first mask together with one that is adjacent to it, if there is any, closed where they nearly touch."""
    kernel = np.ones((TOUCHING_PX, TOUCHING_PX), np.uint8)
    grown = np.asarray(cv2.dilate(masks[0], kernel), np.uint8)
    for other in masks[1:]:
        if (grown & other).sum() >= 4 * TOUCHING_PX:
            return np.asarray(cv2.morphologyEx(masks[0] | other, cv2.MORPH_CLOSE, kernel), np.uint8)
    return None


def _beyond_frame(image: Image, shown: Mask, rng: np.random.Generator) -> Image:
    """Beyond the scene's frame its mean, as the model sees what has no data, or what was mirrored."""
    if shown.all() or rng.random() < 0.4:
        return image
    result = image.copy()
    result[~shown] = image[shown].mean(axis=0).astype(np.uint8)
    return result
