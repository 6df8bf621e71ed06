"""Where a polygon came from: the fields that say so, and the prompts in one of them."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs

from qgis.core import NULL, QgsCoordinateReferenceSystem, QgsFeature, QgsField, QgsFields, QgsGeometry, QgsRasterLayer
from qgis.PyQt.QtCore import QVariant

from ...contract.errors import ProtocolError
from ...contract.prompts import Prompts
from ...contract.recipe import Recipe
from ...contract.requests import SegmentResult
from ...contract.secrets import without_secrets
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


def attributes(answer: SegmentResult, score: float, recipe: Recipe | None, source: str, class_name: Any) -> dict[str, Any]:
    """By field name. recipe: None where no prompts alone give the shape again. class_name: as the layer stores it."""
    return {
        "class": None if class_name in ("", None) else class_name,
        "score": round(score, 4),
        "model": answer.model,
        "level": answer.level,
        "gsd_m": None if answer.gsd_m is None else round(answer.gsd_m, 4),
        "source": source,
        PROMPTS_FIELD: NULL if recipe is None else recipe.to_text(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def source_of(imagery: QgsRasterLayer) -> str:
    """What a field tells of imagery, without passwords and keys; of servers the address alone."""
    source = without_secrets(imagery.publicSource())
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


def recipe_of(feature: QgsFeature, crs: QgsCoordinateReferenceSystem) -> Recipe:
    """What a feature was made by; where that was not kept, its own shape (in its layer's `crs`) as a rough outline."""
    index = feature.fields().lookupField(PROMPTS_FIELD)
    with suppress(ProtocolError):  # of another origin than this plugin: its shape says enough
        recipe = Recipe.of(feature[index] if index >= 0 else "")
        if recipe.prompts.has_foreground:
            return recipe
    return Recipe(Prompts(polygon=to_hex(feature.geometry())), crs_code(crs) or None)


def answer_of(feature: QgsFeature, shape: QgsGeometry, view_level: int | None) -> SegmentResult:
    """A feature as the answer that it was, in another CRS perhaps; what it does not tell is empty.

    view_level: of its recipe.
    """
    names = feature.fields().names()

    def number(name: str, default: float) -> float:
        value = feature[name] if name in names else None
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else default

    model = feature["model"] if "model" in names and isinstance(feature["model"], str) else ""
    gsd_m = number("gsd_m", 0.0)
    level = round(number("level", 0.0))
    ground = gsd_m if gsd_m > 0 else None
    return SegmentResult(to_hex(shape), number("score", 0.0), model, level, 0.0, gsd_m=ground, view_level=view_level)
