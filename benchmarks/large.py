"""What the pyramid and the caches give: `python benchmarks/large.py SCENES_DIR [--folder SCRATCH] [PART …]`.

Parts: `seams` (labelled objects on tiles of half the size, against one tile), `growth` (cost against the outline's length),
`bytes` (of a kept tile, for each model), `latency` (first and warm click, with and without prefetching and disk), `scale` (a
sparse raster of 100,000 × 100,000 pixels, 500 clicks). Each prints a Markdown table. The scratch folder takes about 1 GB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from affine import Affine
from rasterio.enums import Resampling
from rasterio.windows import Window

from rasterlasso.benchmarks.scenes import Target, read_scene
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.outlines.contours import outline_of_mosaic
from rasterlasso.engine.segmenting.answer import Segmentation
from rasterlasso.engine.segmenting.query import Found
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.spreading.spread import refinement, run
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import MIN_LEVEL, PixelBox
from rasterlasso.engine.tiles.grid import Window as TileWindow
from rasterlasso.engine.tiles.packing import StoredTile, pack
from rasterlasso.models import registry
from rasterlasso.models.base import Embedding, Model, PixelPrompts
from rasterlasso.models.places import XY
from rasterlasso.models.sam.model import SamModel

Floats = npt.NDArray[np.float64]

SEAM_SCENES = ("water_naip_nd_2015_5m_west", "fields_naip_us_01", "fields_naip_us_03", "fields_naip_us_05")
GOOD_IOU = 0.85
BORDER_STEP_PX = 128
SAME_EDGE_PX = 2
FALSE_EDGE_PX = 3
LABEL_PX = 3
"""Labels are this exact, in native pixels: an edge so near to one is the object's own."""

SPARSE_PX = 100_000
PATCH_PX = 4000
RANDOM_CLICKS = 500
UTM = "EPSG:32613"


def iou(a: shapely.Geometry, b: shapely.Geometry) -> float:
    """Of two polygons."""
    return float(a.intersection(b).area / max(a.union(b).area, 1e-12))


def seams(scenes: Path, scratch: Path) -> None:
    """Half tiles against whole ones, from the click on, and from the same coarse answer on."""
    model = registry.entry("builtin").load()
    one, half = Segmenter(models=[model]), Segmenter(models=[model], tile_px=512)
    clicked, refined = [], []
    for name in SEAM_SCENES:
        scene = read_scene(scenes / name, 12)
        for target in scene.targets:
            level = target.level - 1
            if level < MIN_LEVEL:
                continue
            truth = shapely.transform(target.polygon_px, lambda xy, level=level: xy / 2.0**level)
            middle = shapely.maximum_inscribed_circle(target.polygon_px).coords[0]
            click = Prompts((Point(*scene.source.to_map(np.array([middle]))[0]),))
            found = [each.segment(scene.path, click, level=level) for each in (one, half)]
            whole, pieces = (_in_level_px(each, scene.source.to_pixel) for each in found)
            clicked.append(_seam_row(whole, pieces, truth, scene.source.grid.frame(level), level))
            same_start = _from_same_start(one, half, scene.path, click, level)
            if same_start is not None:
                refined.append(_seam_row(*same_start, truth, scene.source.grid.frame(level), level))
    rows = np.array(clicked)
    right = rows[rows[:, 1] >= GOOD_IOU]
    starts = (("a click", rows), (f"a click, one tile right (IoU ≥ {GOOD_IOU})", right), ("a coarse answer", np.array(refined)))
    for title, chosen in starts:
        against, alone, halved, edge = chosen.T
        print(
            f"| {title} | {len(chosen)} | {np.median(against):.3f} | {against.mean():.3f} | {(against >= 0.98).mean():.0%} "
            f"| {alone.mean():.3f} | {halved.mean():.3f} | {edge.max():.1f} | {(edge > FALSE_EDGE_PX).sum()} |"
        )


def _from_same_start(
    one: Segmenter, half: Segmenter, path: str, click: Prompts, level: int
) -> tuple[shapely.Geometry, shapely.Geometry] | None:
    """What whole and half tiles make of the level above as half tiles saw it; None where those did not refine."""
    query = half.query(path, click)
    found = Found(query.placed, query.first_look(level))
    if found.first.tile.level == level:
        return None
    for _ in query.spread(found, level):
        pass
    pieces = found.spreads[-1]
    grid = one.scene(path).source.grid
    whole = refinement(grid, pieces.mosaic.base, set(grid.tiles_near(level + 1, grid.frame(level + 1))))
    for _ in run(whole, query.middle, one.query(path, click).decide, lambda tile: None):
        pass
    xy = query.placed.points / 2.0**level
    shapes = [outline_of_mosaic(each.grid, each.mosaic, each.outlined, xy, xy[:0]) for each in (whole, pieces)]
    return None if shapes[0] is None or shapes[1] is None else (shapes[0], shapes[1])


def _seam_row(
    whole: shapely.Geometry, pieces: shapely.Geometry, truth: shapely.Geometry, frame: PixelBox, level: int
) -> tuple[float, float, float, float]:
    """IoUs of one tile and pieces, of each with the label, and the longest false edge; all in pixels of the level."""
    sides = shapely.box(frame.left, frame.top, frame.right, frame.bottom).boundary
    real = (whole.boundary.buffer(SAME_EDGE_PX), truth.boundary.buffer(LABEL_PX / 2.0**level), sides.buffer(SAME_EDGE_PX))
    return iou(whole, pieces), iou(whole, truth), iou(pieces, truth), _false_edge_px(pieces, shapely.union_all(real))


def _in_level_px(found: Segmentation, to_pixel: Callable[[Floats], Floats]) -> shapely.Geometry:
    return shapely.transform(found.polygon, lambda xy: to_pixel(xy) / 2.0**found.level)


def _false_edge_px(polygon: shapely.Geometry, real: shapely.Geometry) -> float:
    """The longest edge along a line on which half tiles, or their halves and quarters, begin, outside of `real`."""
    longest = 0.0
    shapely.prepare(real)
    for ring in (ring for part in shapely.get_parts(polygon) for ring in (part.exterior, *part.interiors)):
        xy = np.asarray(ring.coords)
        for axis in (0, 1):
            place = xy[:-1, axis] / BORDER_STEP_PX
            along = (np.abs(np.diff(xy[:, axis])) < 0.05) & (np.abs(place - np.rint(place)) * BORDER_STEP_PX < 0.3)
            for start in np.flatnonzero(along):
                edge = shapely.LineString(xy[start : start + 2]).difference(real)
                longest = max(longest, edge.length)
    return longest


def growth(scenes: Path, scratch: Path) -> None:
    """A river of growing length from one click."""
    for width_px in (5_000, 10_000, 20_000, 40_000):
        path = scratch / f"river-{width_px}.tif"
        river = _write_river(path, width_px)
        segmenter, asked = Segmenter(), 0

        def count(offer: object) -> None:
            nonlocal asked
            asked += 1

        start = time.perf_counter()
        click = Prompts((Point(*_on_map(np.array([[width_px / 2, _middle(np.array(width_px / 2))]]))[0]),))
        found = segmenter.segment(str(path), click, level=0, on_part=count)
        seconds = time.perf_counter() - start
        overlap = iou(found.polygon, shapely.transform(river, _on_map))
        length, parts = found.polygon.length, shapely.get_num_geometries(found.polygon)
        cost = f"{asked} | {seconds:.1f} | {1000 * seconds / length:.2f}"
        print(f"| {width_px / 1024:.0f} | {length:,.0f} | {cost} | {parts} | {overlap:.3f} |", flush=True)
        segmenter.close()
        path.unlink()


def _middle(x: Floats) -> Floats:
    found: Floats = 3000 + 1300 * np.sin(x / 3000)
    return found


def _on_map(xy_px: Floats) -> Floats:
    return np.column_stack((500_000 + xy_px[:, 0], 4_500_000 - xy_px[:, 1]))


def _write_river(path: Path, width_px: int) -> shapely.Polygon:
    """A dark band of 700 px through bright noise, in pixels."""
    rng = np.random.default_rng(1)
    land, water = (rng.integers(*values, (6000, 1024)).astype(np.uint8) for values in ((90, 115), (30, 40)))
    rows = np.arange(6000)[:, None] + 0.5
    with rasterio.open(path, "w", **_profile(width_px, 6000, 1), transform=Affine(1, 0, 500_000, 0, -1, 4_500_000)) as dataset:
        for left in range(0, width_px, 1024):
            count = min(1024, width_px - left)
            x = np.arange(left, left + count, dtype=np.float64) + 0.5
            inside = (np.abs(rows - _middle(x)) < 350) & (x > 300) & (x < width_px - 300)
            dataset.write(np.where(inside, water[:, :count], land[:, :count])[None], window=Window(left, 0, count, 6000))
        dataset.build_overviews([2, 4, 8, 16, 32], Resampling.average)
    x = np.linspace(300, width_px - 300, width_px // 10)
    return shapely.Polygon(np.vstack((np.c_[x, _middle(x) - 350], np.c_[x, _middle(x) + 350][::-1])))


def _profile(width_px: int, height_px: int, bands: int) -> dict[str, object]:
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1, "BIGTIFF": "YES"}
    return {"driver": "GTiff", "width": width_px, "height": height_px, "count": bands, "dtype": "uint8", "crs": UTM, **tiles}


def bytes_of_a_tile(scenes: Path, scratch: Path) -> None:
    """On disk, against float32; and what 8 bits change of the built-in model's masks."""
    scene = read_scene(scenes / "fields_naip_us_05", 40)
    segmenter = Segmenter(models=[registry.entry("builtin").load()])
    opened = segmenter.scene(scene.path)
    grid = opened.source.grid
    tile = grid.tile_at(0, opened.source.width_px / 2, opened.source.height_px / 2)
    image, valid = opened.radiometry.render(opened.source, grid.window(tile))
    store = TileStore(scratch / "tiles", 10**10)
    for kind in ("builtin", "sam", "sam_hq", "sam2", "sam3_tracker"):
        model: Any = None
        if kind == "builtin":
            model = registry.entry(kind).load()
        else:
            script = Path(__file__).resolve().parents[1] / "tests" / "checkpoints.py"
            subprocess.run([sys.executable, script, kind, scratch / kind], check=True, stderr=subprocess.DEVNULL)
            model = SamModel(kind, scratch / kind)
        embedding = model.encode(image, valid)
        features = embedding.features()
        store._put(kind, tile, pack(StoredTile(features, valid)))
        start = time.perf_counter()
        kept = store.get(kind, tile)
        if kept is None:
            raise RuntimeError(f"the tile of {kind} was not kept")
        restored = model.restored(kept.features, kept.valid)
        seconds = time.perf_counter() - start
        place = scratch / "tiles" / kind / f"{tile.level}_{tile.row}_{tile.col}"
        size = sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
        whole = sum(each.nbytes for each in features.values())
        overlaps = "" if kind != "builtin" else _overlaps(model, embedding, restored, scene.targets, grid.window(tile))
        print(
            f"| {kind} | {whole / 1e6:.1f} | {size / 1e6:.2f} | {size / whole:.2f} | {1000 * seconds:.0f} | {overlaps} |",
            flush=True,
        )
    store.close()


def _overlaps(model: Model, exact: Embedding, kept: Embedding, targets: Iterable[Target], window: TileWindow) -> str:
    """IoU of first answers on labelled objects, from exact and from kept features."""
    found = []
    for target in targets:
        x, y = shapely.maximum_inscribed_circle(target.polygon_px).coords[0]
        if window.contains(x, y):
            prompts = PixelPrompts(np.array([window.to_tile(x, y)]), np.ones(1, np.bool_))
            a, b = (model.decode(each, prompts)[0].logits > 0 for each in (exact, kept))
            found.append(float((a & b).sum() / max((a | b).sum(), 1)))
    return f"{np.mean(found):.4f} mean, {min(found):.4f} least of {len(found)}"


def latency(scenes: Path, scratch: Path) -> None:
    """The first click on a place, and one more."""
    scene = read_scene(scenes / "fields_naip_us_05", 8)
    clicks = []
    for target in scene.targets:
        truth = shapely.transform(target.polygon_px, scene.source.to_map)
        x, y = shapely.maximum_inscribed_circle(truth).coords[0]
        x1, y1, *_ = truth.bounds
        clicks.append((target.level, Point(x, y), Point(x1, y1, False)))
    model = registry.entry("builtin")
    columns = []
    for way in ("cold", "prefetched", "on disk"):
        first: list[float] = []
        warm: list[float] = []
        for level, inside, outside in clicks:
            segmenter = Segmenter(store=TileStore(scratch / f"latency-{'disk' if way == 'on disk' else way}", 10**10))
            segmenter.model(model.name)
            segmenter.scene(scene.path)
            if way == "prefetched":
                for _ in segmenter.prefetch(
                    scene.path,
                    level=level,
                    center_xy=XY(inside.x, inside.y),
                    view=(inside.x, inside.y, inside.x + 1, inside.y + 1),
                ):
                    pass
            if way == "on disk":
                segmenter.segment(scene.path, Prompts((inside,)), level=level)
                segmenter.close()
                segmenter = Segmenter(store=TileStore(scratch / "latency-disk", 10**10))
                segmenter.model(model.name)
                segmenter.scene(scene.path)
            for prompts, times in ((Prompts((inside,)), first), (Prompts((inside, outside)), warm)):
                start = time.perf_counter()
                segmenter.segment(scene.path, prompts, level=level)
                times.append(1000 * (time.perf_counter() - start))
            segmenter.close()
        columns.append((way, statistics.median(first), statistics.median(warm)))
    for way, first_ms, warm_ms in columns:
        print(f"| {way} | {first_ms:.0f} | {warm_ms:.0f} |")


def scale(scenes: Path, scratch: Path) -> None:
    """A sparse giant against a crop of it, then clicks all over."""
    big, crop = scratch / "sparse.tif", scratch / "crop.tif"
    corners = _write_sparse(big, crop)
    times = {}
    for path, corner in ((crop, (0, 0)), (big, corners[0])):
        opened, clicked = [], []
        for _ in range(5):
            segmenter = Segmenter()
            segmenter.model("builtin")
            start = time.perf_counter()
            segmenter.scene(str(path))
            middle = time.perf_counter()
            segmenter.segment(str(path), _click(corner, 1250, 1250, path == big), level=0)
            opened.append(middle - start)
            clicked.append(time.perf_counter() - middle)
            segmenter.close()
        times[path] = statistics.median(opened), statistics.median(clicked)
    for title, index in (("open", 0), ("first click", 1)):
        small, large = times[crop][index], times[big][index]
        print(f"| {title} | {1000 * small:.0f} ms | {1000 * large:.0f} ms | {large / small:.2f} |")
    segmenter, rng, used = Segmenter(), np.random.default_rng(3), []
    for number in range(RANDOM_CLICKS):
        corner = corners[rng.integers(len(corners))]
        field = 250 + 500 * rng.integers(0, 8, 2) + rng.integers(-80, 80, 2)
        segmenter.segment(str(big), _click(corner, float(field[0]), float(field[1]), True), level=int(rng.integers(-1, 2)))
        if number % 50 == 49:
            used.append(_resident_mb())
    print(f"| memory after 50, 100, … {RANDOM_CLICKS} clicks | | {', '.join(f'{each:.0f}' for each in used)} MB | |")
    segmenter.close()


def _click(corner: tuple[int, int], x_px: float, y_px: float, is_big: bool) -> Prompts:
    x, y = (corner[0] + x_px, corner[1] + y_px) if is_big else (x_px, y_px)
    return Prompts((Point(300_000 + float(x), 4_600_000 - float(y)),))


def _write_sparse(big: Path, crop: Path) -> list[tuple[int, int]]:
    """Twelve patches of fields in a desert of nodata, with overviews; one of them alone in another file. Their corners."""
    rng = np.random.default_rng(0)
    patch = rng.integers(90, 130, (3, PATCH_PX, PATCH_PX)).astype(np.uint8)
    rows, cols = np.mgrid[:PATCH_PX, :PATCH_PX]
    field = (np.abs(rows % 500 - 250) < 120) & (np.abs(cols % 500 - 250) < 150)
    patch[:, field] = patch[:, field] // 3 + np.array([20, 60, 10], np.uint8)[:, None]
    origin = Affine(1, 0, 300_000, 0, -1, 4_600_000)
    corners = [(int(x) * 512, int(y) * 512) for x, y in rng.integers(0, 180, (12, 2))]
    with rasterio.open(big, "w", **_profile(SPARSE_PX, SPARSE_PX, 3), transform=origin, sparse_ok=True, nodata=0) as dataset:
        for x, y in corners:
            dataset.write(patch, window=Window(x, y, PATCH_PX, PATCH_PX))
    with rasterio.Env(SPARSE_OK_OVERVIEW="YES", GDAL_NUM_THREADS="2"), rasterio.open(big, "r+") as dataset:
        dataset.build_overviews([2, 4, 8, 16, 32, 64, 128], Resampling.average)
    with rasterio.open(crop, "w", **_profile(PATCH_PX, PATCH_PX, 3), transform=origin, nodata=0) as dataset:
        dataset.write(patch)
        dataset.build_overviews([2, 4], Resampling.average)
    return corners


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


PARTS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "seams": (
        seams,
        "from | n | IoU against one tile, median | mean | at least .98 | one tile, IoU with label | half tiles | "
        "longest false edge, px | longer than 3 px",
    ),
    "growth": (growth, "length in tiles | outline, px | tiles asked | s | ms for each px | parts | IoU"),
    "bytes": (bytes_of_a_tile, "model | float32, MB | on disk, MB | share | read and restored, ms | IoU of first answers"),
    "latency": (latency, "tile | first click, ms | next click, ms"),
    "scale": (scale, "| crop of 4,000 px | 100,000 × 100,000 px | ratio"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", default=[], help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--folder", type=Path, help="for scratch files; default a temporary one")
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        measure, columns = PARTS[name]
        print(f"\n### {name}\n\n| {columns} |\n|{'---|' * (columns.count('|') + 1)}", flush=True)
        if arguments.folder is not None:
            arguments.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
            measure(arguments.scenes, Path(scratch))


if __name__ == "__main__":
    main()
