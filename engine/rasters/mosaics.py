"""Mosaics of which some sources are missing: the rest can be worked on, and what is not there is no data.

GDAL reads what is missing as zeros where it reads a reduced copy, and fails elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree  # nosec B405 # expat limits expansion and fetches nothing

from .behind import SOURCES, unfit_behind

SOURCE_KINDS = ("SimpleSource", "ComplexSource", "AveragedSource", "KernelFilteredSource")


def without_missing(path: str) -> tuple[str, tuple[str, ...]] | None:
    """What GDAL opens for the rest of a mosaic, and the names of what is missing.

    None where it is no mosaic in a VRT of its own, nothing is missing, or nothing would be left.
    """
    vrt = Path(path)
    if vrt.suffix.lower() != ".vrt" or not vrt.is_file():
        return None
    try:
        root = ElementTree.parse(vrt).getroot()  # nosec B314 # see above
    except (OSError, ElementTree.ParseError):  # whoever opens it says so
        return None
    bands = root.findall("VRTRasterBand")
    missing: dict[str, None] = {}
    for band in root.iter("VRTRasterBand"):  # those of a mask, too
        for source in [element for element in band if element.tag in (*SOURCE_KINDS, "Overview")]:
            name = _named(source, vrt.parent)
            if name is not None and unfit_behind([name]) is not None:
                band.remove(source)
                missing[name] = None
    if not missing or not all(any(_sources(band)) for band in bands):
        return None
    if root.find("MaskBand") is None and all(band.find("NoDataValue") is None for band in bands):
        root.append(_mask_of(bands[0]))
    return ElementTree.tostring(root, encoding="unicode"), tuple(missing)


def _sources(band: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in band if element.tag in SOURCE_KINDS]


def _named(source: ElementTree.Element, folder: Path) -> str | None:
    """The name of a source, made absolute, since the description of the rest lies nowhere."""
    element = next((each for each in source if each.tag in SOURCES and each.text), None)
    if element is None or element.text is None:
        return None
    if element.get("relativeToVRT") == "1" or element.get("relativetoVRT") == "1":
        element.text = str(folder / element.text)
        element.attrib.pop("relativetoVRT", None)
        element.set("relativeToVRT", "0")
    return element.text


def _mask_of(band: ElementTree.Element) -> ElementTree.Element:
    """Valid is what the sources that are there call so."""
    mask = ElementTree.Element("MaskBand")
    inner = ElementTree.SubElement(mask, "VRTRasterBand", {"dataType": "Byte"})
    for source in _sources(band):
        copied = ElementTree.SubElement(inner, "SimpleSource")
        for child in _copied(source):
            copied.append(child)
    return mask


def _copied(source: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in source:
        if child.tag in SOURCES or child.tag in ("SrcRect", "DstRect"):
            yield deepcopy(child)
        elif child.tag == "SourceBand" and child.text and child.text.isdigit():
            band = deepcopy(child)
            band.text = f"mask,{child.text}"
            yield band
