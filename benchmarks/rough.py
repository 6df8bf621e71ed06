"""What a line drawn around an object is worth as a prompt: `python benchmarks/rough.py SCENES_DIR [--limit N]`.

Labels' outlines are made rough: widened, reduced to a dozen vertices, each of them displaced at random. Mean IoU, on the tile's
pixels, of the built-in model's best candidate for several ways of saying the same.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Polygon

from rasterlasso.benchmarks.scenes import Target, read_scene
from rasterlasso.contract.errors import RasterLassoError
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.outlines.contours import burnt, polygonal
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.models.base import PixelPrompts

WIDENED, REDUCED, DISPLACED = 0.06, 0.10, 0.05
"""Shares of the square root of the area."""

NO_PROMPTS = PixelPrompts(np.empty((0, 2)), np.empty(0, np.bool_))
Mask = npt.NDArray[np.bool_]


def roughened(shape: shapely.Geometry, dice: np.random.Generator) -> shapely.Geometry:
    """As drawn in haste around the largest part."""
    size = np.sqrt(shape.area)
    around = shapely.get_parts(shape.buffer(WIDENED * size).simplify(REDUCED * size))
    corners = np.asarray(max(around, key=shapely.area).exterior.coords)[:-1]
    return polygonal(shapely.make_valid(Polygon(corners + dice.normal(0, DISPLACED * size, corners.shape)))) or shape


def iou(found: Mask, truth: Mask) -> float:
    """Of two masks that are not both empty."""
    return float((found & truth).sum() / (found | truth).sum())


def measured(segmenter: Segmenter, path: str, target: Target, dice: np.random.Generator) -> dict[str, float] | None:
    """IoU of the rough outline, and of the answer to each way of saying it; None where the object does not show."""
    to_map = segmenter.scene(path).source.to_map
    truth = shapely.transform(target.polygon_px, to_map)
    query = segmenter.query(path, Prompts((Point(*shapely.maximum_inscribed_circle(truth).coords[0]),)))
    try:
        look = query.first_look(target.level)
    except RasterLassoError:
        return None
    encoded, window = query.encoded(look.tile), look.window
    frame = shapely.box(0, 0, *encoded.valid.shape[::-1])

    def on_tile(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray((xy - np.array((window.x0, window.y0))) / window.scale_xy, np.float64)

    rough = shapely.transform(roughened(target.polygon_px, dice), on_tile).intersection(frame)
    meant, drawn = (burnt(each, encoded.valid.shape) for each in (shapely.transform(target.polygon_px, on_tile), rough))
    if not meant.any() or not drawn.any():
        return None
    prior = replace(NO_PROMPTS, prior=drawn.astype(np.float32))
    box = rough.bounds
    ways = {
        "one click": look.prompts,
        "a box": replace(NO_PROMPTS, box_xyxy=box),
        "box and click": replace(look.prompts, box_xyxy=box),
        "the rough outline as the prior": prior,
        "the same with its box": replace(prior, box_xyxy=box),
        "with a click": replace(look.prompts, prior=prior.prior),
    }
    answers = {way: query.network.decode(encoded.embedding, prompts) for way, prompts in ways.items()}
    found = {way: iou(candidates[0].logits > 0, meant) if candidates else 0.0 for way, candidates in answers.items()}
    return {"the outline itself": iou(drawn, meant), **found}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--limit", type=int, default=4, help="objects of each scene")
    arguments = parser.parse_args()
    segmenter, dice = Segmenter(), np.random.default_rng(0)
    rows = defaultdict(list)
    for folder in sorted(path.parent for path in arguments.scenes.glob("*/labels.gpkg")):
        scene = read_scene(folder, arguments.limit)
        for target in scene.targets:
            for way, value in (measured(segmenter, scene.path, target, dice) or {}).items():
                rows[way].append(value)
    print(f"| objects | {' | '.join(rows)} |")
    print("|" + "---|" * (len(rows) + 1))
    counts = {len(values) for values in rows.values()}
    print(f"| {max(counts, default=0)} | {' | '.join(f'{np.mean(values):.2f}' for values in rows.values())} |")


if __name__ == "__main__":
    main()
