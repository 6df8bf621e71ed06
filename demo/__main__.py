"""`make demo`: digitize a feature in the real QGIS desktop, by mouse and keyboard, and check what came of it.

Without arguments the feature is Lake Granby on a Landsat scene; with --image and --at it is whatever lies there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas
import rasterio
from shapely import Point

from rasterlasso.engine.rasters.ground import area_m2

from .desktop import Desktop, DesktopError

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "demo"
SAMPLE = ROOT / "build" / "sample" / "rmnp-rgb.tif"

LAKE_AT = (-105.865, 40.155)
LAKE_VIEW = (-105.96, 40.08, -105.72, 40.24)
LAKE_KM2 = 29.4
"""Lake Granby when it is full, by public figures."""

LAKE_TOLERANCE = 0.15
"""Its arms are a pixel or two wide in the scene, and are left out."""

VIEW_PX = 700
"""Width of the view on a raster of one's own, in its pixels."""


class DemoFailed(Exception):
    """The result is not what it should be."""


def main() -> int:
    """Run the demo; 0 when all went well."""
    parser = argparse.ArgumentParser("demo")
    parser.add_argument("package", type=Path, help="the plugin's zip")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--at", help="x,y on the feature, in the image's CRS")
    arguments = parser.parse_args()
    try:
        if arguments.image is None:
            output = BUILD / "lake-granby.gpkg"
            digitize(arguments.package, SAMPLE, LAKE_AT, LAKE_VIEW, output)
            check_lake(output)
        else:
            at = place(arguments.at)
            output = BUILD / f"{arguments.image.stem}.gpkg"
            digitize(arguments.package, arguments.image.resolve(), at, view_around(arguments.image, at), output)
            check(output, at)
    except (DemoFailed, DesktopError, rasterio.errors.RasterioError) as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    print(f"The polygon is in {output.relative_to(ROOT)}, screenshots are beside it.")
    return 0


def place(text: str | None) -> tuple[float, float]:
    """AT=x,y."""
    try:
        x, y = map(float, (text or "").split(","))
    except ValueError:
        raise DemoFailed(f"AT={text or ''} is not x,y in the image's CRS, such as AT=561700,4434300") from None
    return x, y


def view_around(image: Path, at: tuple[float, float]) -> tuple[float, float, float, float]:
    """The map extent to look at: around the place, a few hundred native pixels wide."""
    with rasterio.open(image) as dataset:
        half = VIEW_PX / 2 * abs(dataset.transform.determinant) ** 0.5
    return at[0] - half, at[1] - half, at[0] + half, at[1] + half


def digitize(
    package: Path, image: Path, at: tuple[float, float], view: tuple[float, float, float, float], output: Path
) -> None:
    """From an empty project to a saved GeoPackage, as a user would."""
    output.unlink(missing_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    engine_python = ROOT / "build" / "venv-engine" / "bin" / "python"
    step("Starting QGIS with the plugin in a fresh profile")
    with Desktop(package, engine_python) as desktop:
        step(f"Opening {image.name}")
        desktop.open_raster(image, view)
        step("Pressing the toolbar button")
        desktop.press_toolbar_button()
        desktop.until("lasso.engine.state.value == 'ready'")
        step("Making a GeoPackage layer through the panel")
        desktop.new_geopackage(output)
        step("Clicking on the feature")
        desktop.press(*desktop.screen_xy(*at))
        desktop.until("lasso.digitizer.answer is not None")
        area = polygon_area(desktop)
        desktop.screenshot(output.with_name("1-preview.png"))

        step("Right-clicking what shall not belong to it")
        away = desktop.until(FARTHEST_PART)
        desktop.press(*desktop.screen_xy(*away), button=3)
        desktop.until("lasso.digitizer.progress is None and len(lasso.digitizer.draft.steps) == 2")
        smaller = polygon_area(desktop)
        desktop.screenshot(output.with_name("2-background-click.png"))
        expect(smaller < area, f"the background click did not make the polygon smaller ({area:.6g} → {smaller:.6g})")

        step("Taking the click back with Ctrl+Z")
        desktop.key("ctrl+z")
        desktop.until("lasso.digitizer.progress is None and len(lasso.digitizer.draft.steps) == 1")
        restored = polygon_area(desktop)
        expect(restored == area, f"Ctrl+Z did not bring the polygon back ({area:.6g} → {restored:.6g})")

        step("Accepting with Enter and saving the layer's edits")
        desktop.key("Return")
        desktop.until("lasso.digitizer.draft.is_empty and lasso.digitizer.target.layer.featureCount() == 1")
        desktop.save_edits()
        desktop.screenshot(output.with_name("3-accepted.png"))


FARTHEST_PART = """(lambda polygon, click: (lambda rest: (lambda p: [p.x(), p.y()])(
    rest.poleOfInaccessibility(polygon.boundingBox().width() / 200)[0].asPoint()))(
    polygon.difference(click.buffer(max(polygon.boundingBox().width(), polygon.boundingBox().height()) / 4, 8))))(
    lasso.digitizer.polygon, __import__('qgis.core').core.QgsGeometry.fromPointXY(
    __import__('qgis.core').core.QgsPointXY(lasso.digitizer.draft.points[0].x, lasso.digitizer.draft.points[0].y)))"""


def polygon_area(desktop: Desktop) -> float:
    """Of the preview, in the imagery's units."""
    return float(desktop.until("lasso.digitizer.polygon.area()"))


def check(output: Path, at: tuple[float, float]) -> geopandas.GeoSeries:
    """Read the file with another reader than QGIS; returns its one polygon as a series."""
    shapes = geopandas.read_file(output, layer="features").geometry
    expect(len(shapes) == 1, f"{len(shapes)} features instead of one in {output}")
    expect(bool(shapes.is_valid.all()), f"the polygon in {output} is not valid")
    expect(bool(shapes.contains(Point(at)).all()), f"the polygon in {output} does not contain the click at {at}")
    return shapes


def check_lake(output: Path) -> None:
    """Whether it is the lake: where it is, and how large."""
    shapes = check(output, LAKE_AT)
    west, south, east, north = shapes.total_bounds
    view_west, view_south, view_east, view_north = LAKE_VIEW
    expect(view_west < west and view_south < south and east < view_east and north < view_north, "the polygon is not the lake's")
    square_metres = area_m2(shapes.iloc[0], shapes.crs.to_wkt()) or 0.0
    off = square_metres / 1e6 / LAKE_KM2 - 1
    print(f"Lake Granby: {square_metres / 1e6:.2f} km² ({off:+.1%} of the {LAKE_KM2} km² known)")
    expect(abs(off) <= LAKE_TOLERANCE, f"the lake's area is off by more than {LAKE_TOLERANCE:.0%}")


def expect(condition: bool, otherwise: str) -> None:
    """Fail the demo where a condition does not hold."""
    if not condition:
        raise DemoFailed(otherwise)


def step(text: str, show: Callable[[str], None] = print) -> None:
    """Tell how far the demo is."""
    show(f"-- {text}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
