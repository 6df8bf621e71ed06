"""What looking closer gives: `python benchmarks/closer.py SCENES [--limit 2]`.

The simulated user of `clicks` digitizes objects in a view that suits them and in one four times too wide, with and without a
second look at a finer level (`engine/segmenting/closer`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from rasterlasso.benchmarks.canvas import Canvas
from rasterlasso.benchmarks.one_prompt import WIDE
from rasterlasso.benchmarks.scenes import Scene, Target, read_scene
from rasterlasso.contract.errors import NothingFound, PromptError
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.models.builtin.model import BuiltinModel
from rasterlasso.models.click_simulation import first_click, next_click

CLICKS = (1, 3, 5)


def main() -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--limit", type=int, default=2, help="objects of a scene")
    arguments = parser.parse_args()
    model, rows = BuiltinModel(), []
    for folder in sorted(path.parent for path in arguments.scenes.glob("*/labels.gpkg")):
        scene = read_scene(folder, arguments.limit)
        targets = [target for target in scene.targets if Canvas(scene, target).truth.any()]
        rows += [[_digitized(scene, t, model, t.level + wide, closer) for wide, closer in _VIEWS] for t in targets]
        scene.source.close()
    print("| view | IoU@1 / 3 / 5 | boundary IoU@1 / 3 / 5 |\n| --- | --- | --- |")
    for (wide, closer), figures in zip(_VIEWS, np.mean(rows, axis=0), strict=True):
        name = ("four times too wide" if wide else "suits the object") + (", looked closer" if closer else "")
        print(f"| {name} | " + " | ".join(" / ".join(f"{each:.3f}" for each in row) for row in figures) + " |")
    print(f"\n{len(rows)} objects.")
    return 0


_VIEWS = tuple((wide, closer) for wide in (0, WIDE) for closer in (False, True))


def _digitized(scene: Scene, target: Target, model: BuiltinModel, level: int, closer: bool) -> list[list[float]]:
    """IoUs and boundary IoUs after one, three and five clicks."""
    canvas, segmenter = Canvas(scene, target), Segmenter(models=(model,))
    clicks, ious, boundaries = [first_click(canvas.truth)], list[float](), list[float]()
    for _ in range(CLICKS[-1]):
        places = [canvas.place(click) for click in clicks]
        xy = scene.source.to_map(np.array([place[:2] for place in places]))
        points = tuple(Point(float(x), float(y), place[2]) for (x, y), place in zip(xy, places, strict=True))
        try:
            found = segmenter.segment(scene.path, Prompts(points), model=model.name, level=level, closer=closer)
            answer = canvas.mask(found.polygon)
        except (NothingFound, PromptError):
            answer = canvas.mask(None)
        ious.append(canvas.iou(answer))
        boundaries.append(canvas.boundary_iou(answer))
        wrong = next_click(canvas.truth, answer)
        if wrong is None:
            break
        clicks.append(wrong)
    segmenter.close()
    return [[each[min(count, len(each)) - 1] for count in CLICKS] for each in (ious, boundaries)]


if __name__ == "__main__":
    raise SystemExit(main())
