"""How many clicks does an object take? `rasterlasso bench clicks SCENES_DIR [--model M …] [--baselines] [--json FILE]`.

A simulated user digitizes every labelled object of every scene through the whole path: clicks in the raster's CRS, tiles,
model, polygon. The first click is in the object's middle, each next one in the middle of the largest wrong region, at most
20. The level is that of a map on which the object's longer side fills a third of 1024 pixels. The polygon is rasterized on
the raster's own pixels and compared there (pixels without data do not count). Masks, middles and regions: `click_simulation`.
An object that has reached IoU 0.9 is left after ten clicks; further figures take it as it is then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely

from ..contract.errors import NothingFound, PromptError, ScenesMissing
from ..contract.prompts import Point, Prompts
from ..engine.rasters.radiometry import Radiometry
from ..engine.segmenting.answer import Segmentation
from ..engine.segmenting.session import Segmenter
from ..engine.tiles.grid import Window
from ..models import registry
from ..models.base import Mask, Model
from ..models.click_simulation import Click, first_click, next_click
from .canvas import Canvas
from .one_prompt import OnePrompt, answers_to_one_prompt
from .scenes import Scene, Target, read_scene

MAX_CLICKS = 20
STOP_IOU = 0.97
"""The simulated user is content here; IoUs after further clicks are taken to stay as they are."""

VERTICES_AFTER = 5
"""Clicks after which the vertices of an answer are counted."""

LEARNING = " + learning"
"""Ends the names of models that learn from object to object."""


Place = tuple[float, float, bool]
"""x, y in the raster's pixels, and whether it is foreground."""


@dataclass(frozen=True)
class Trial:
    """One object digitized with one model.

    ious, boundary_ious: after each click. seconds, decode_s: of each click that found something, the first cold. ceiling: as
    `Canvas` has it. vertices: of the answer after five clicks, or the last; label_vertices: of the label.
    """

    scene: str
    model: str
    cls: str
    object: str
    ious: tuple[float, ...]
    boundary_ious: tuple[float, ...]
    seconds: tuple[float, ...]
    encode_s: float
    decode_s: tuple[float, ...]
    clicks: tuple[tuple[int, int, bool], ...] = field(repr=False)
    one_prompt: OnePrompt
    ceiling: float
    vertices: int
    label_vertices: int

    def noc(self, quality: float) -> int:
        """Clicks until IoU `quality`; 20 where it is never reached."""
        return next((n for n, iou in enumerate(self.ious, 1) if iou >= quality), MAX_CLICKS)

    def iou_at(self, clicks: int) -> float:
        """IoU after so many clicks."""
        return self.ious[min(clicks, len(self.ious)) - 1]


def is_visible(scene: Scene, target: Target) -> bool:
    """Whether any pixel of the object has data."""
    return bool(Canvas(scene, target).truth.any())


def run_scene(scene: Scene, model: Model, learn: bool = False) -> list[Trial]:
    """Digitize all objects. learn: each is accepted as it came out, and the model learns from it before the next one.

    Without learning nothing is cached before an object's first click.
    """
    targets = [target for target in scene.targets if is_visible(scene, target)]
    if not learn:
        return [run_trial(scene, target, model) for target in targets]
    segmenter = Segmenter(models=(model,))
    try:
        return [run_trial(scene, target, model, segmenter) for target in targets]
    finally:
        segmenter.close()


def run_trial(scene: Scene, target: Target, model: Model, learning: Segmenter | None = None) -> Trial:
    """Digitize one object; with `learning` by what that has learnt, and letting it learn from the answer."""
    segmenter = learning or Segmenter(models=(model,))
    canvas = Canvas(scene, target)
    ious, boundaries, seconds, decodes = [], [], [], []
    encode_s, vertices = 0.0, 0
    ask = partial(segmented, segmenter, scene, model.name, target.level, learned=learning is not None)
    try:
        for clicks, found, answer in clicked(canvas, ask):
            ious.append(canvas.iou(answer))
            boundaries.append(canvas.boundary_iou(answer))
            if found is not None:
                vertices = vertices_of(found.polygon) if len(clicks) <= VERTICES_AFTER else vertices
                seconds.append(found.seconds)
                decodes.append(found.stages["decode"])
                encode_s = encode_s or found.stages["encode"]
            if len(clicks) == MAX_CLICKS or _is_settled(ious):
                break
        if learning is not None and found is not None:
            learning.learn(scene.path, found.polygon, model=model.name, level=found.level)
    finally:
        if learning is None:
            segmenter.close()
    return Trial(
        scene=scene.name,
        model=model.name if learning is None else f"{model.name}{LEARNING}",
        cls=target.cls,
        object=target.id,
        ious=tuple(ious),
        boundary_ious=tuple(boundaries),
        seconds=tuple(seconds),
        encode_s=encode_s,
        decode_s=tuple(decodes),
        clicks=tuple((click.row + canvas.top, click.col + canvas.left, click.foreground) for click in clicks),
        one_prompt=answers_to_one_prompt(scene, target, model),
        ceiling=canvas.ceiling,
        vertices=vertices,
        label_vertices=vertices_of(target.polygon_px),
    )


def vertices_of(polygon: shapely.Geometry) -> int:
    """Corners of all rings, the first of each counted once."""
    rings = shapely.get_rings(shapely.get_parts(polygon))
    return int(shapely.get_num_coordinates(rings).sum()) - len(rings)


def _is_settled(ious: list[float]) -> bool:
    """Whether no further click can change a figure."""
    return ious[-1] >= STOP_IOU or (max(ious) >= 0.9 and len(ious) >= 10)


def clicked(
    canvas: Canvas, ask: Callable[[list[Place]], Segmentation | None]
) -> Iterator[tuple[list[Click], Segmentation | None, Mask]]:
    """The simulated user: clicks so far, what is answered to them, and its pixels, until nothing is wrong any more."""
    clicks = [first_click(canvas.truth)]
    while True:
        found = ask([canvas.place(click) for click in clicks])
        answer = canvas.mask(None if found is None else found.polygon)
        yield clicks, found, answer
        wrong = next_click(canvas.truth, answer)
        if wrong is None:
            return
        clicks = [*clicks, wrong]


def segmented(
    segmenter: Segmenter,
    scene: Scene,
    model: str,
    level: int,
    clicks: list[Place],
    *,
    learned: bool = False,
    closer: bool | None = None,
) -> Segmentation | None:
    """The answer to clicks, None where nothing is found. closer: None for as the panel asks."""
    xy = scene.source.to_map(np.array([click[:2] for click in clicks], np.float64))
    points = tuple(Point(float(x), float(y), click[2]) for (x, y), click in zip(xy, clicks, strict=True))
    try:
        looks_closer = model == registry.DEFAULT_MODEL if closer is None else closer
        return segmenter.segment(scene.path, Prompts(points), model=model, level=level, learned=learned, closer=looks_closer)
    except (NothingFound, PromptError):
        return None


@dataclass(frozen=True)
class Replay:
    """What a trial looked like: the image around the object, masks on its pixels, clicks as (column, row, foreground)."""

    image: npt.NDArray[np.uint8]
    truth: Mask
    answer: Mask
    clicks: tuple[tuple[float, float, bool], ...]


def replay(trial: Trial, folder: Path, model: Model, count: int) -> Replay:
    """A trial after its first `count` clicks."""
    scene = read_scene(folder)
    target = next(t for t in scene.targets if t.id == trial.object)
    canvas = Canvas(scene, target, margin=0.4)
    given = [(col + 0.5, row + 0.5, foreground) for row, col, foreground in trial.clicks[:count]]
    segmenter = Segmenter(models=(model,))
    found = segmented(segmenter, scene, model.name, target.level, given)
    rows, cols = canvas.truth.shape
    window = Window(canvas.left, canvas.top, canvas.left + cols, canvas.top + rows, cols, rows)
    image, _ = Radiometry.of(scene.source).render(scene.source, window)
    answer = canvas.mask(None if found is None else found.polygon)
    segmenter.close()
    scene.source.close()
    places = tuple((x - window.x0 - 0.5, y - window.y0 - 0.5, foreground) for x, y, foreground in given)
    return Replay(image, canvas.truth, answer, places)


def measures(trial: Trial) -> dict[str, float]:
    """The protocol's figures of one object, whose means tell of many."""
    return {
        **{f"NoC@{q}": float(trial.noc(q / 100)) for q in (80, 85, 90, 95)},
        **{f"IoU@{k}": trial.iou_at(k) for k in (1, 3, 5, 10)},
        "bIoU@5": trial.boundary_ious[min(5, len(trial.ious)) - 1],
        "ceiling": trial.ceiling,
        "failures": float(max(trial.ious) < 0.9),
        **asdict(trial.one_prompt),
        "vertices": trial.vertices / trial.label_vertices,
    }


def summary(trials: Sequence[Trial]) -> dict[str, float]:
    """The protocol's figures over some trials."""
    further = [s for t in trials for s in t.seconds[1:]]
    each = [measures(trial) for trial in trials]
    return {
        "objects": len(trials),
        **{name: float(np.mean([own[name] for own in each])) for name in each[0]},
        "first_s": float(np.median([t.seconds[0] for t in trials if t.seconds] or [np.nan])),
        "further_s": float(np.median(further or [np.nan])),
        "encode_s": float(np.median([t.encode_s for t in trials])),
        "decode_s": float(np.median([d for t in trials for d in t.decode_s] or [np.nan])),
    }


@dataclass(frozen=True)
class Job:
    """All objects of a scene with one model."""

    folder: Path
    model: str
    limit: int | None
    learn: bool

    @property
    def shown(self) -> str:
        """The model's name in figures."""
        return f"{self.model}{LEARNING}" if self.learn else self.model


def _work(job: Job) -> list[Trial]:
    scene = read_scene(job.folder, job.limit)
    try:
        return run_scene(scene, _load(job.model), job.learn)
    finally:
        scene.source.close()


@cache
def _load(name: str) -> Model:
    from .baselines import BASELINES

    baselines = {baseline.name: baseline for baseline in BASELINES}
    return baselines[name]() if name in baselines else registry.entry(name).load()


def _jobs(arguments: argparse.Namespace) -> list[Job]:
    folders = sorted(path.parent for path in arguments.scenes.glob("*/labels.gpkg"))
    if not folders:
        raise ScenesMissing(path=str(arguments.scenes))
    chosen = arguments.model or [registry.DEFAULT_MODEL]
    names = [registry.entry(name).name for name in chosen]
    if arguments.baselines:
        from .baselines import BASELINES

        names += [baseline.name for baseline in BASELINES]
    jobs = []
    for folder in folders:
        jobs += [Job(folder, name, arguments.limit, learn=False) for name in names]
        if arguments.learn:
            jobs += [Job(folder, name, arguments.limit, learn=True) for name in chosen]
    return jobs


def _results(jobs: list[Job], workers: int) -> Iterator[list[Trial]]:
    """Trials of each job, in order."""
    if workers == 1:
        yield from map(_work, jobs)
        return
    # Started afresh: a fork of a process in which torch has threads may hang.
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_limit_threads, initargs=(threads,)) as pool:
        yield from pool.map(_work, jobs)


def _limit_threads(count: int) -> None:
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark; returns the exit code."""
    from . import report

    jobs = _jobs(arguments)
    trials = report.read_json(arguments.json, arguments.limit) if arguments.resume else []
    done = {(trial.scene, trial.model) for trial in trials}
    left = [job for job in jobs if (job.folder.name, job.shown) not in done]
    for number, (job, own) in enumerate(zip(left, _results(left, arguments.workers), strict=True), 1):
        trials += own
        if own:
            figures = report.line(summary(own))
            print(f"{number}/{len(left)} {job.folder.name} {job.shown}: {figures}", file=sys.stderr, flush=True)
        if arguments.json:
            report.write_json(trials, arguments.json, arguments.limit)
    print(report.table(trials) + "\n\n" + report.intervals_table(trials))
    if arguments.learn:
        print("\n" + report.learning_table(trials))
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        report.draw_curves(trials, arguments.pictures / "curves.png")
        report.draw_sheet(trials, arguments.scenes, _load(jobs[0].model), arguments.pictures / "contact-sheet.png")
    return 0
