"""Where a polygon came from: the fields that say so, and the prompts in one of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs

from qgis.core import NULL, QgsCoordinateReferenceSystem, QgsFeature, QgsField, QgsFields, QgsRasterLayer
from qgis.PyQt.QtCore import QVariant

from ...contract.errors import ProtocolError
from ...contract.prompts import Prompts, prompts_of_text, prompts_text
from ...contract.requests import SegmentResult
from ..geo.crs import crs_code
from ..geo.wkb import to_hex

PROMPTS_FIELD = "prompts"


def provenance_fields() -> QgsFields:
    """Of the layers that the plugin makes; in the user's own layers those that are there are filled in."""
    fields = QgsFields()
    for name, kind in (
        ("class", QVariant.String),
        ("area_m2", QVariant.Double),
        ("score", QVariant.Double),
        ("model", QVariant.String),
        ("level", QVariant.Int),
        ("gsd_m", QVariant.Double),
        ("source", QVariant.String),
        (PROMPTS_FIELD, QVariant.String),
        ("created", QVariant.String),
    ):
        fields.append(QgsField(name, kind))
    return fields


def attributes(
    answer: SegmentResult,
    score: float,
    prompts: Prompts | None,
    crs: QgsCoordinateReferenceSystem,
    source: str,
    class_name: Any,
) -> dict[str, Any]:
    """By field name. prompts: None where no prompts alone give the shape again. class_name: as the layer stores it."""
    return {
        "class": None if class_name in ("", None) else class_name,
        "score": round(score, 4),
        "model": answer.model,
        "level": answer.level,
        "gsd_m": None if answer.gsd_m is None else round(answer.gsd_m, 4),
        "source": source,
        PROMPTS_FIELD: NULL if prompts is None else prompts_text(prompts, crs_code(crs) or None),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def source_of(imagery: QgsRasterLayer) -> str:
    """What a field tells of imagery: no passwords, and of servers no keys."""
    source = imagery.publicSource()
    if imagery.providerType() == "gdal":
        return source.split("?")[0] if source.startswith("/vsi") else source
    given = parse_qs(source.replace("+", "%2B"))
    address = given.get("url", [source])[0].split("?")[0]
    layers = "".join(f", {name}" for name in given.get("layers", []))
    return f"{address}{layers}" or imagery.name()


def level_of(feature: QgsFeature, source: str) -> int | None:
    """The level that a feature was made at, where it was made of the same imagery."""
    names = feature.fields().names()
    is_known = {"level", "source"} <= set(names) and feature["source"] == source
    return feature["level"] if is_known and isinstance(feature["level"], int) else None


def prompts_of(feature: QgsFeature, crs: QgsCoordinateReferenceSystem) -> tuple[Prompts, QgsCoordinateReferenceSystem]:
    """What a feature was made by, and its CRS; where that was not kept, the feature's own shape, in its layer's `crs`."""
    index = feature.fields().lookupField(PROMPTS_FIELD)
    try:
        prompts, code = prompts_of_text(feature[index] if index >= 0 else "")
        if prompts.has_foreground:
            return prompts, QgsCoordinateReferenceSystem(code or "")
    except (ProtocolError, TypeError):  # of another origin than this plugin: its shape says enough
        pass
    return Prompts(polygon=to_hex(feature.geometry())), crs
