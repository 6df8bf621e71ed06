"""What finding similar objects, and everything, gives: `python benchmarks/proposing.py SCENES`.

On each scene with at least twenty objects of a class a simulated user knows three of them, and answers one proposal after the
other, the likeliest first: yes where it overlaps an object that was not found yet with an IoU of .5, else no. Objects that
nobody labelled count as mistakes, so the figures are lower bounds.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from rasterlasso.benchmarks.scenes import Scene, read_scene
from rasterlasso.contract.proposals import AnswersParams, EverythingParams, Likeness, SimilarParams
from rasterlasso.contract.requests import Shape
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tasks.proposed import Proposed
from rasterlasso.engine.tasks.table import TASKS

LEAST_OBJECTS = 20
EXAMPLES = 3
ANSWERS = (0, 10, 30)
HIT_IOU = 0.5
SEED = 5


def main() -> int:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--part", choices=("similar", "everything"), help="one of the tables only")
    arguments = parser.parse_args()
    scenes = [read_scene(path.parent) for path in sorted(arguments.scenes.glob("*/labels.gpkg"))]
    large = [(scene, kind) for scene in scenes if (kind := _commonest(scene)) is not None]
    if arguments.part != "everything":
        print("| scene | objects | found by 10 answers | by 30 | yes among 10 / 30 | search |")
        print("| --- | --- | --- | --- | --- | --- |")
        for scene, kind in large:
            print(_similar(scene, kind), flush=True)
    if arguments.part != "similar":
        print("\n| scene | objects | proposals | recall .5 / .75 | precision .5 | overlapping | seconds |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for scene, kind in large:
            print(_everything(scene, kind), flush=True)
    return 0


def _commonest(scene: Scene) -> str | None:
    counts = Counter(target.cls for target in scene.targets).most_common(1)
    return counts[0][0] if counts and counts[0][1] >= LEAST_OBJECTS else None


def _objects(scene: Scene, kind: str) -> list[Polygon | MultiPolygon]:
    """In the raster's CRS."""
    return [shapely.transform(each.polygon_px, scene.source.to_map) for each in scene.targets if each.cls == kind]


def _similar(scene: Scene, kind: str) -> str:
    objects = _objects(scene, kind)
    known = np.random.default_rng(SEED).choice(len(objects), EXAMPLES, replace=False).tolist()
    examples = tuple(Shape(number, shapely.to_wkb(objects[number], hex=True)) for number in known)
    segmenter, started = Segmenter(), time.perf_counter()
    params = SimilarParams(scene.path, examples, most=100_000)
    proposals = list(_run(segmenter, "find_similar", params))
    seconds = time.perf_counter() - started
    hits = {each.id: _hit(each.found.polygon, objects) for each in proposals}
    ranked, found = [(each.id, each.likeness) for each in proposals], set(known)
    yes: list[int] = []
    no: list[int] = []
    shares = {0: len(found) / len(objects)}
    for count in range(1, ANSWERS[-1] + 1):
        if ranked:
            number = ranked[0][0]
            is_new = hits[number] is not None and hits[number] not in found
            (yes if is_new else no).append(number)
            found |= {hits[number]} if is_new and hits[number] is not None else set()
            asked = TASKS["answer_similar"].run(segmenter, AnswersParams(tuple(yes), tuple(no)), lambda stage, fraction: None)
            ranked = [(each.id, each.likeness) for each in asked if isinstance(each, Likeness) and each.id in hits]
        shares[count] = len(found) / len(objects)
        if count == ANSWERS[1]:
            early = len(yes)
    segmenter.close()
    return f"| {scene.name} | {len(objects)} | {shares[10]:.2f} | {shares[30]:.2f} | {early} / {len(yes)} | {seconds:.0f} s |"


def _everything(scene: Scene, kind: str) -> str:
    objects = _objects(scene, kind)
    boxes = np.array([each.polygon_px.bounds for each in scene.targets if each.cls == kind])
    side_px = float(np.median(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])))
    segmenter, started = Segmenter(), time.perf_counter()
    polygons = [
        each.found.polygon for each in _run(segmenter, "segment_everything", EverythingParams(scene.path, None, side_px))
    ]
    seconds = time.perf_counter() - started
    segmenter.close()
    ious = [max((_iou(each, other) for other in polygons if each.intersects(other)), default=0.0) for each in objects]
    right = {hit for each in polygons if (hit := _hit(each, objects)) is not None}
    tree = shapely.STRtree(polygons)
    pairs = [(i, j) for i, j in tree.query(polygons, "intersects").T if i < j]
    doubles = sum(polygons[i].intersection(polygons[j]).area > 0.5 * min(polygons[i].area, polygons[j].area) for i, j in pairs)
    return (
        f"| {scene.name} | {len(objects)} | {len(polygons)} | {np.mean(np.array(ious) >= 0.5):.2f} / "
        f"{np.mean(np.array(ious) >= 0.75):.2f} | {len(right) / max(len(polygons), 1):.2f} | {doubles} | {seconds:.0f} |"
    )


def _run(segmenter: Segmenter, task: str, params: SimilarParams | EverythingParams) -> Iterator[Proposed]:
    for each in TASKS[task].run(segmenter, params, lambda stage, fraction: None):
        if isinstance(each, Proposed):
            yield each


def _hit(polygon: Polygon | MultiPolygon, objects: Sequence[Polygon | MultiPolygon]) -> int | None:
    """The object that a proposal is."""
    ious = [_iou(polygon, each) if polygon.intersects(each) else 0.0 for each in objects]
    best = int(np.argmax(ious))
    return best if ious[best] >= HIT_IOU else None


def _iou(a: Polygon | MultiPolygon, b: Polygon | MultiPolygon) -> float:
    shared = a.intersection(b).area
    return float(shared / (a.area + b.area - shared))


if __name__ == "__main__":
    raise SystemExit(main())
