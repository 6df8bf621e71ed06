"""Where a polygon came from: the fields that say so, and the prompts in one of them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from qgis.core import QgsCoordinateReferenceSystem, QgsField, QgsFields
from qgis.PyQt.QtCore import QVariant

from ..engine.errors import ProtocolError
from ..engine.ops import SegmentResult
from ..engine.prompts import Prompts

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
    answer: SegmentResult, score: float, prompts: Prompts, crs: QgsCoordinateReferenceSystem, source: str, class_name: str
) -> dict[str, Any]:
    """By field name."""
    return {
        "class": class_name or None,
        "score": round(score, 4),
        "model": answer.model,
        "level": answer.level,
        "gsd_m": None if answer.gsd_m is None else round(answer.gsd_m, 4),
        "source": source,
        PROMPTS_FIELD: json.dumps({"crs": crs.authid() or crs.toWkt() or None, **prompts.to_wire()}),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def kept_prompts(text: Any) -> tuple[Prompts, QgsCoordinateReferenceSystem] | None:
    """Prompts and their CRS from the field's text; None where it holds none."""
    if not isinstance(text, str):
        return None
    try:
        body = json.loads(text)
        prompts = Prompts.from_wire(body)
    except (ValueError, ProtocolError):
        return None
    if not prompts.has_foreground:
        return None
    return prompts, QgsCoordinateReferenceSystem(body.get("crs") or "")
