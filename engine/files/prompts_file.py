"""Prompts of many objects in one JSON file.

    {"crs": "EPSG:4326",
     "objects": [{"points": [[x, y, true], [x, y, false]], "box": [x0, y0, x1, y1], "properties": {"class": "lake"}}]}

`crs` may be left out (the raster's CRS), and of each object everything but something of the foreground.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...contract.errors import PromptsUnreadable, ProtocolError
from ...contract.prompts import Prompts


@dataclass(frozen=True)
class PromptedObject:
    """One object: its prompts, and properties to be copied to the output."""

    prompts: Prompts
    properties: dict[str, Any]


def read_prompts_file(path: Path) -> tuple[str | None, list[PromptedObject]]:
    """(crs or None, objects) of a file; raises `PromptsUnreadable`."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        crs, entries = body.get("crs"), body["objects"]
        objects = [PromptedObject(Prompts.from_wire(entry), dict(entry.get("properties") or {})) for entry in entries]
    except OSError as error:
        raise PromptsUnreadable(path=str(path), reason=error.strerror or str(error)) from error
    except (ProtocolError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PromptsUnreadable(path=str(path), reason=f"{type(error).__name__}: {error}") from error
    if not objects:
        raise PromptsUnreadable(path=str(path), reason="no objects in it")
    return crs, objects
