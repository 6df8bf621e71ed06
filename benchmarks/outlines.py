"""What each preset makes of outlines: `python benchmarks/outlines.py SCENES_DIR [--limit N]`.

The built-in model's first answers on labelled objects (those of IoU 0.7 at least), drawn by each preset and, to compare, along
pixels' edges (`rasterio.features.shapes`). Against people's outlines: IoU, boundary IoU (within two pixels of the level),
Hausdorff and mean distance in pixels of the level, vertices, and the share of right angles.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import shapes

from rasterlasso.benchmarks.scenes import read_scene
from rasterlasso.contract.errors import RasterLassoError
from rasterlasso.contract.looks import PRESETS
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.outlines.contours import outline, polygonal
from rasterlasso.engine.outlines.finish import finished
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.segmenting.query import FirstLook
from rasterlasso.engine.segmenting.session import Segmenter

MIN_IOU = 0.7
BAND_PX = 2.0
SAMPLE_PX = 1.0
RIGHT_DEG = 3.0
"""A corner is right within this."""

Figures = tuple[float, ...]


def looks(segmenter: Segmenter, folder: Path, limit: int) -> Iterator[tuple[str, FirstLook, RasterSource, shapely.Geometry]]:
    """(class, what was seen, raster, label in native pixels) of a scene's objects."""
    scene = read_scene(folder, limit)
    for target in scene.targets:
        truth = shapely.transform(target.polygon_px, scene.source.to_map)
        click = Prompts((Point(*shapely.maximum_inscribed_circle(truth).coords[0]),))
        try:
            query = segmenter.query(scene.path, click)
            yield target.cls, query.first_look(target.level), query.scene.source, target.polygon_px
        except RasterLassoError:
            continue


def drawn(found: FirstLook, source: RasterSource) -> dict[str, shapely.Geometry]:
    """The best answer in native pixels: along the pixels, and by each preset."""
    logits, window = found.candidates[0].logits, found.window
    inside = [shapely.geometry.shape(part) for part, value in shapes((logits > 0).astype(np.uint8)) if value]
    click = shapely.points(found.prompts.points_xy[found.prompts.foreground])
    meant = [part for part in inside if shapely.intersects(part, click).any()] or inside
    free = outline(logits, found.prompts.points_xy[found.prompts.foreground], np.empty((0, 2)))

    def native(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.array((window.x0, window.y0)) + xy * window.scale_xy

    result = {"pixels": shapely.transform(polygonal(shapely.union_all(meant)), native)}
    on_map = shapely.transform(free, lambda xy: source.to_map(native(xy)))
    for name, finish in PRESETS.items():
        result[name] = shapely.transform(finished(on_map, source, found.tile.level, finish), source.to_pixel)
    return result


def figures(shape: shapely.Geometry, truth: shapely.Geometry, pixel: float) -> Figures:
    """IoU, boundary IoU, Hausdorff and mean distance in pixels, vertices, vertices of the label, share of right angles."""
    band = BAND_PX * pixel
    bands = [each.boundary.buffer(band).intersection(each) for each in (shape, truth)]
    there = shape.boundary.segmentize(SAMPLE_PX * pixel)
    distances = shapely.distance(shapely.points(shapely.get_coordinates(there)), truth.boundary)
    return (
        shape.intersection(truth).area / shape.union(truth).area,
        bands[0].intersection(bands[1]).area / bands[0].union(bands[1]).area,
        shapely.hausdorff_distance(shape.boundary, truth.boundary) / pixel,
        float(distances.mean()) / pixel,
        shapely.get_num_coordinates(shape),
        shapely.get_num_coordinates(truth),
        _right_angles(shape),
    )


def _right_angles(shape: shapely.Geometry) -> float:
    right = total = 0
    for part in shapely.get_parts(shape):
        edges = np.diff(np.asarray(part.exterior.coords), axis=0)
        angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
        turns = np.abs((np.diff(np.append(angles, angles[0])) + 180) % 360 - 180)
        right += int((np.abs(turns - 90) < RIGHT_DEG).sum())
        total += len(turns)
    return right / max(total, 1)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--limit", type=int, default=15, help="objects of each scene")
    arguments = parser.parse_args()
    segmenter = Segmenter()
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for folder in sorted(path.parent for path in arguments.scenes.glob("*/labels.gpkg")):
        for cls, look, source, truth in looks(segmenter, folder, arguments.limit):
            ways = drawn(look, source)
            pixel = 2.0**look.tile.level
            measured = {way: figures(shape, truth, pixel) for way, shape in ways.items()}
            if measured["pixels"][0] >= MIN_IOU:
                for way, values in measured.items():
                    found[cls, way].append(values)
                    found["all", way].append(values)
    figures_shown = ("IoU", "boundary IoU", "Hausdorff px", "mean px", "vertices", "label's", "/ pixels'", "right angles")
    columns = ("class", "way", "n", *figures_shown)
    print(f"| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))
    for (cls, way), rows in sorted(found.items(), key=lambda each: (each[0][0] != "all", each[0][0])):
        iou, boundary, hausdorff, mean, vertices, label, right = np.mean(rows, axis=0)
        share = vertices / np.mean([row[4] for row in found[cls, "pixels"]])
        counts = f"{vertices:.0f} | {label:.0f} | {share:.2f}"
        distances = f"{hausdorff:.1f} | {mean:.2f}"
        print(f"| {cls} | {way} | {len(rows)} | {iou:.3f} | {boundary:.3f} | {distances} | {counts} | {right:.0%} |")


if __name__ == "__main__":
    main()
