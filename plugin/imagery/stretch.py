"""Which of a raster layer's values the engine sees: its own choice, or what the map shows."""

from __future__ import annotations

from qgis.core import (
    Qgis,
    QgsContrastEnhancement,
    QgsMultiBandColorRenderer,
    QgsRasterLayer,
    QgsSingleBandGrayRenderer,
)

from ...contract.looks import Stretch

PROPERTY = "rasterlasso/radiometry"
AS_SHOWN = "shown"


def is_as_shown(layer: QgsRasterLayer) -> bool:
    """Whether the user wants the engine to see what the map shows."""
    return bool(layer.customProperty(PROPERTY) == AS_SHOWN)


def set_as_shown(layer: QgsRasterLayer, is_shown: bool) -> None:
    """Keep the choice with the layer."""
    if is_shown:
        layer.setCustomProperty(PROPERTY, AS_SHOWN)
    else:
        layer.removeCustomProperty(PROPERTY)


def stretch_of(layer: QgsRasterLayer) -> Stretch | None:
    """The bands, values and gamma that the map shows; None for the engine's choice, and where the map shows no stretch."""
    if not is_as_shown(layer) or layer.providerType() != "gdal":  # others are seen as they are drawn
        return None
    renderer = layer.renderer()
    if isinstance(renderer, QgsMultiBandColorRenderer):
        shown = [
            (renderer.redBand(), renderer.redContrastEnhancement()),
            (renderer.greenBand(), renderer.greenContrastEnhancement()),
            (renderer.blueBand(), renderer.blueContrastEnhancement()),
        ]
    elif isinstance(renderer, QgsSingleBandGrayRenderer):
        shown = [(renderer.grayBand(), renderer.contrastEnhancement())]
    else:
        return None
    found = [_limits(layer, band, enhancement) for band, enhancement in shown]
    limits = [each for each in found if each is not None]
    if len(limits) < len(shown):
        return None
    bands = tuple(band for band, _ in shown)
    return Stretch(bands, tuple(low for low, _ in limits), tuple(high for _, high in limits), layer.brightnessFilter().gamma())


def _limits(layer: QgsRasterLayer, band: int, enhancement: QgsContrastEnhancement | None) -> tuple[float, float] | None:
    """The values of a band that are shown black and white, where there are such."""
    none = QgsContrastEnhancement.ContrastEnhancementAlgorithm.NoEnhancement
    if band < 1:
        return None
    if enhancement is not None and enhancement.contrastEnhancementAlgorithm() != none:
        return _as_stored(layer, band, enhancement.minimumValue()), _as_stored(layer, band, enhancement.maximumValue())
    is_byte = layer.dataProvider().dataType(band) == Qgis.DataType.Byte
    return (0.0, 255.0) if is_byte else None


def _as_stored(layer: QgsRasterLayer, band: int, value: float) -> float:
    """A value of a band as the file has it: QGIS tells those that a declared scale and offset make of it."""
    provider = layer.dataProvider()
    return float((value - provider.bandOffset(band)) / (provider.bandScale(band) or 1.0))
