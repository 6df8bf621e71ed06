"""What looking closer gives: `python benchmarks/closer.py SCENES [--limit 2]`.

The simulated user of `clicks` digitizes objects in a view that suits them and in one four times too wide, with and without a
second look at a finer level (`engine/segmenting/closer`).
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from rasterlasso.benchmarks.canvas import Canvas
from rasterlasso.benchmarks.clicks import clicked, is_visible, segmented
from rasterlasso.benchmarks.one_prompt import WIDE
from rasterlasso.benchmarks.scenes import Scene, Target, read_scene
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.models.builtin.model import BuiltinModel

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
        targets = [target for target in scene.targets if is_visible(scene, target)]
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
    ask = partial(segmented, segmenter, scene, model.name, level, closer=closer)
    answers = [answer for _, _, answer in islice(clicked(canvas, ask), CLICKS[-1])]
    segmenter.close()
    figures = ([iou(answer) for answer in answers] for iou in (canvas.iou, canvas.boundary_iou))
    return [[each[min(count, len(each)) - 1] for count in CLICKS] for each in figures]


if __name__ == "__main__":
    raise SystemExit(main())
