"""True areas and lengths on the ground, and a CRS's code."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from .source import RasterSource


def area_m2(geometry: shapely.Geometry, crs_wkt: str | None) -> float | None:
    """Geodesic area in m² on the CRS's ellipsoid (Karney 2013, as in GeographicLib); None without a CRS on Earth's surface."""
    ground = None if crs_wkt is None else _ground(crs_wkt)
    if ground is None:
        return None
    to_lonlat, geod = ground
    lonlat = shapely.transform(geometry, lambda xy: _columns(to_lonlat, xy))
    # Each ring by itself: those that cross the antimeridian look turned round.
    polygons = shapely.get_parts(lonlat).tolist()
    holes = sum(_ring_m2(geod, hole) for polygon in polygons for hole in polygon.interiors)
    return sum(_ring_m2(geod, polygon.exterior) for polygon in polygons) - holes


def _ring_m2(geod: pyproj.Geod, ring: shapely.LinearRing) -> float:
    area, _ = geod.geometry_area_perimeter(ring)
    return abs(float(area))


def crs_code(crs_wkt: str | None) -> str | None:
    """An authority's code such as EPSG:4326 where there is one, else the WKT."""
    if crs_wkt is None:
        return None
    authority = pyproj.CRS.from_wkt(crs_wkt).to_authority()
    return ":".join(authority) if authority else crs_wkt


def gsd_m(source: RasterSource, place_px: npt.NDArray[np.float64], level: int = 0) -> float | None:
    """Ground size of a level's pixels at a native (x, y); None without a CRS on Earth's surface."""
    if source.crs_wkt is None or _ground(source.crs_wkt) is None:
        return None
    return float(np.sqrt(metres_per_pixel(source, place_px).prod()) * 2.0**level)


def metres_per_pixel(source: RasterSource, place_px: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(2,) ground size of a native pixel along its two axes, at a native (x, y); ones without a CRS on Earth's surface."""
    ground = None if source.crs_wkt is None else _ground(source.crs_wkt)
    if ground is None:
        return np.ones(2)
    to_lonlat, geod = ground
    places = source.to_map(place_px + np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    lon, lat = to_lonlat.transform(places[:, 0], places[:, 1])
    _, _, lengths = geod.inv(np.full(2, lon[0]), np.full(2, lat[0]), lon[1:], lat[1:])
    found = np.asarray(lengths, np.float64)
    return found if np.isfinite(found).all() and (found > 0).all() else np.ones(2)


@lru_cache(maxsize=16)
def _ground(crs_wkt: str) -> tuple[pyproj.Transformer, pyproj.Geod] | None:
    """From a CRS to longitude and latitude on its ellipsoid, kept since it takes milliseconds; None off Earth's surface."""
    crs = pyproj.CRS.from_wkt(crs_wkt)
    geodetic, ellipsoid = crs.geodetic_crs, crs.ellipsoid
    if geodetic is None or ellipsoid is None:
        return None
    geod = pyproj.Geod(a=ellipsoid.semi_major_metre, b=ellipsoid.semi_minor_metre)
    return pyproj.Transformer.from_crs(crs, geodetic, always_xy=True), geod


def _columns(transformer: pyproj.Transformer, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
