"""Where things are in the test image, what a user does with them, and waiting as QGIS does."""

from pathlib import Path

from qgis.core import QgsFeature, QgsGeometry, QgsVectorLayer
from qgis.PyQt.QtCore import QCoreApplication, QElapsedTimer, Qt
from qgis.PyQt.QtTest import QTest

SAMPLE = Path(__file__).resolve().parents[2] / "build" / "sample" / "rmnp-rgb.tif"
LAKE = (-105.865, 40.155)
LAKE_VIEW = (-105.98, 40.05, -105.68, 40.27)
"""Lake Granby in the sample, in EPSG:4326, and a view in which it fits a tile."""

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints.py"
FIELD = (500_120.0, 4_499_640.0, 500_360.0, 4_499_800.0)
VIEW = (500_000.0, 4_499_400.0, 500_800.0, 4_500_000.0)
"""All of the test image."""

MIDDLE = (500_240.0, 4_499_720.0)
BESIDE = (500_040.0, 4_499_500.0)


def iou(a, b):
    """Intersection over union of two geometries."""
    return a.intersection(b).area() / a.combine(b).area()


def wait_until(condition, seconds=60):
    """Let QGIS's events run until a condition holds."""
    timer = QElapsedTimer()
    timer.start()
    while not condition():
        assert timer.elapsed() < seconds * 1000, "waited too long"
        QCoreApplication.processEvents()
        QTest.qWait(5)


def accept_one(bench, place=MIDDLE):
    """Click, wait, accept."""
    bench.click(*place)
    bench.answered()
    bench.key(Qt.Key.Key_Return)


def polygon_layer(project, *wkts, crs="EPSG:32613", fields=""):
    """A scratch layer of the user's own."""
    layer = QgsVectorLayer(f"Polygon?crs={crs}{fields}", "mine", "memory")
    for wkt in wkts:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        layer.dataProvider().addFeature(feature)
    project.addMapLayer(layer)
    return layer
