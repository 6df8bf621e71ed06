"""Samples rendered ahead by processes of their own, kept in files of a limited size until they are used.

What a shard holds follows from its number alone, so a run that was stopped anywhere goes on with the same samples.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from . import scenes
from .sampler import Sample, Sampler
from .scenery import CROP_PX
from .scenes import Scene
from .teacher import taught

SAMPLES = 64
"""In a shard."""

LOWEST_PRIORITY = 19


@dataclass(frozen=True)
class Recipe:
    """All that the content of shards depends on.

    prepared: folders of prepared scenes. objects: of each image. lessons_file: what a teacher found in unlabelled parts, if
    there was one. name: short, tells shards of other recipes apart.
    """

    prepared: tuple[Path, ...]
    objects: int
    seed: int
    lessons_file: Path | None = None

    @property
    def name(self) -> str:
        """Of this recipe's shards."""
        taught_by = "" if self.lessons_file is None else f"-{self.lessons_file.stem}"
        return f"{scenes.digest_of(self.prepared)[:8]}-{self.seed}-{self.objects}{taught_by}"

    def scenes(self) -> list[Scene]:
        """With what the teacher found as regions of them."""
        found = {} if self.lessons_file is None else taught(self.lessons_file)
        loaded = ((path.name, scenes.load(path)) for path in self.prepared)
        return [replace(scene, regions=scene.regions + found.get(name, ())) for name, scene in loaded]


class Shards:
    """The samples of a recipe in order, some shards rendered ahead of the one in use."""

    def __init__(self, recipe: Recipe, folder: Path, disk_bytes: int, workers: int = 1) -> None:
        self._recipe = recipe
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ahead = max(workers, disk_bytes // shard_bytes(recipe.objects) - 1)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, context, initializer=_begin_rendering, initargs=(recipe,))
        self._coming: dict[int, Future[None]] = {}
        self._current: tuple[int, list[Sample]] | None = None

    def samples(self, start: int, count: int) -> list[Sample]:
        """Samples number `start` to `start + count`, waiting for them where they are not rendered yet."""
        return [self._shard(number // SAMPLES)[number % SAMPLES] for number in range(start, start + count)]

    def close(self) -> None:
        """Stop rendering; what is rendered stays."""
        self._pool.shutdown(cancel_futures=True)

    def _shard(self, number: int) -> list[Sample]:
        if self._current is None or self._current[0] != number:
            self._forget_before(number)
            for coming in range(number, number + self._ahead + 1):
                if coming not in self._coming:
                    self._coming[coming] = self._pool.submit(render, self._file(coming), coming)
            self._coming[number].result()
            self._current = number, read(self._file(number))
        return self._current[1]

    def _forget_before(self, number: int) -> None:
        """Delete shards that were used, and those of other recipes."""
        kept = {self._file(n).name for n in range(number, number + self._ahead + 1)}
        for file in self._folder.glob("*.npz"):
            if file.name not in kept:
                file.unlink()
        for old in [n for n in self._coming if n < number]:
            del self._coming[old]

    def _file(self, number: int) -> Path:
        return self._folder / f"{self._recipe.name}-{number:06d}.npz"


def shard_bytes(objects: int) -> int:
    """About the size of a shard with so many objects an image."""
    return SAMPLES * CROP_PX**2 * (3 + 2 * objects // 8 + 1)


_sampler: Sampler | None = None
_seed = 0


def _begin_rendering(recipe: Recipe) -> None:
    """In the rendering process: lowest priority, one thread, and an end with the process that started it."""
    global _sampler, _seed
    os.nice(LOWEST_PRIORITY)
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    _sampler, _seed = Sampler(recipe.scenes(), recipe.objects), recipe.seed


def _end_after(process: multiprocessing.process.BaseProcess) -> None:
    process.join()
    os._exit(1)


def render(file: Path, number: int) -> None:
    """Render a shard into a file, unless it is there already."""
    if file.exists():
        return
    if _sampler is None:
        raise RuntimeError("shards are rendered by the process that Shards starts")
    write([_sampler.draw((_seed, number * SAMPLES + index)) for index in range(SAMPLES)], file)


def write(samples: Sequence[Sample], file: Path) -> None:
    """Samples into a file, at once or not at all."""
    packed = io.BytesIO()
    np.savez(
        packed,
        images=np.stack([s.image for s in samples]),
        masks=np.packbits(np.stack([s.masks for s in samples]), axis=-1),
        unsure=np.packbits(np.stack([s.unsure for s in samples]), axis=-1),
        is_trusted=np.stack([s.is_trusted for s in samples]),
        first_in=np.stack([s.first_in for s in samples]),
    )
    partial = file.with_suffix(f".part-{os.getpid()}")
    partial.write_bytes(packed.getvalue())
    partial.replace(file)


def read(file: Path) -> list[Sample]:
    """The samples of a file."""
    with np.load(file) as kept:
        images, is_trusted, first_in = kept["images"], kept["is_trusted"], kept["first_in"]
        masks, unsure = (_unpacked(kept[name]) for name in ("masks", "unsure"))
    return [Sample(*parts) for parts in zip(images, masks, unsure, is_trusted, first_in, strict=True)]


def _unpacked(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.unpackbits(packed, axis=-1, count=CROP_PX).astype(np.bool_)
