"""True areas on the ground."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyproj
import shapely


def area_m2(geometry: shapely.Geometry, crs_wkt: str | None) -> float | None:
    """Geodesic area in m² on the CRS's ellipsoid (Karney 2013, as in GeographicLib); None without a CRS on Earth's surface."""
    if crs_wkt is None:
        return None
    crs = pyproj.CRS.from_wkt(crs_wkt)
    geodetic, ellipsoid = crs.geodetic_crs, crs.ellipsoid
    if geodetic is None or ellipsoid is None:
        return None
    to_lonlat = pyproj.Transformer.from_crs(crs, geodetic, always_xy=True)
    lonlat = shapely.transform(geometry, lambda xy: _columns(to_lonlat, xy))
    area, _ = pyproj.Geod(a=ellipsoid.semi_major_metre, b=ellipsoid.semi_minor_metre).geometry_area_perimeter(
        shapely.orient_polygons(lonlat)
    )
    return abs(float(area))


def _columns(transformer: pyproj.Transformer, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
