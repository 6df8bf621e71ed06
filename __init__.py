"""Raster Lasso: click a feature on imagery in QGIS and get a clean, georeferenced polygon in your layer."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from .plugin.main import RasterLassoPlugin


def classFactory(iface: "QgisInterface") -> "RasterLassoPlugin":  # noqa: N802 - QGIS calls it by this name
    """The plugin, for QGIS."""
    from .plugin.main import RasterLassoPlugin

    return RasterLassoPlugin(iface)
