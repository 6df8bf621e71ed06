"""A data set as a folder: chips as PNG with a world file, labels in YOLO's or COCO's form, and where each chip lies."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from ...contract.errors import DatasetUnreadable
from ...contract.secrets import without_secrets
from .chips import Chip
from .labels import Size, coco_segmentation, yolo_lines

MANIFEST = "chips.json"

LICENCE_NOTE = (
    "The chips are parts of the imagery named above: its licence holds for them, also where a model is trained on them. "
    "The labels are the work of whoever digitized them."
)


@dataclass(frozen=True)
class PlacedChip:
    """Where a chip lies. to_map: from its pixels to the raster's CRS."""

    size: Size
    to_map: Affine


@dataclass
class DatasetFolder:
    """A data set under way. `add` each chip, then `finish`. crs_wkt: of the raster, None where it has none."""

    path: Path
    format: str
    image: str
    crs_wkt: str | None
    classes: Sequence[str]
    _placed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _coco: dict[bool, dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: {part: {"images": [], "annotations": []} for part in (False, True)}
    )

    def add(self, chip: Chip, pixels: npt.NDArray[np.uint8], to_map: Affine) -> None:
        """pixels: (rows, columns, 3). Raises `OSError`."""
        part = _part(chip.is_validation)
        name = f"{Path(self.image).stem}_{chip.row:04d}_{chip.col:04d}"
        size = (pixels.shape[1], pixels.shape[0])
        _write_png(self.path / "images" / part / f"{name}.png", pixels, to_map, self.crs_wkt)
        self._placed[name] = {"part": part, "size": list(size), "to_map": list(to_map)[:6]}
        if self.format == "yolo":
            lines = [line for each in chip.objects for line in yolo_lines(each.polygon, each.class_index, size)]
            place = self.path / "labels" / part / f"{name}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        else:
            self._add_to_coco(chip, f"{name}.png", size)

    def finish(self) -> None:
        """Write what is told of all. Raises `OSError`."""
        source = without_secrets(self.image)
        body = {"image": source, "crs": self.crs_wkt, "classes": list(self.classes), "chips": self._placed}
        _write_json(self.path / MANIFEST, body)
        note = f"Imagery: {source}\nChips: {len(self._placed)}\n\n{LICENCE_NOTE}\n"
        (self.path / "README.txt").write_text(note, encoding="utf-8")
        if self.format == "yolo":
            names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(self.classes))
            text = f"train: images/train\nval: images/val\nnames:\n{names}"  # beside this file, wherever the folder goes
            (self.path / "data.yaml").write_text(text, encoding="utf-8")
            return
        categories = [{"id": number + 1, "name": name} for number, name in enumerate(self.classes)]
        for part, told in self._coco.items():
            info = {"description": f"{source}. {LICENCE_NOTE}"}
            _write_json(self.path / "annotations" / f"{_part(part)}.json", {"info": info, "categories": categories, **told})

    def _add_to_coco(self, chip: Chip, name: str, size: Size) -> None:
        told = self._coco[chip.is_validation]
        image_id = len(self._placed)
        told["images"].append({"id": image_id, "file_name": name, "width": size[0], "height": size[1]})
        for each in chip.objects:
            left, top, right, bottom = each.polygon.bounds
            told["annotations"].append(
                {
                    "id": len(told["annotations"]) + 1,
                    "image_id": image_id,
                    "category_id": each.class_index + 1,
                    "segmentation": coco_segmentation(each.polygon, size),
                    "area": each.polygon.area,
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                }
            )


@dataclass(frozen=True)
class Manifest:
    """What a data set tells of itself. chips: by name."""

    crs_wkt: str | None
    image: str
    classes: tuple[str, ...]
    chips: Mapping[str, PlacedChip]
    ids: Mapping[int, str]
    """Names of the chips by the numbers that COCO's files give them."""

    @staticmethod
    def of(folder: Path) -> Manifest:
        """Raises `DatasetUnreadable`."""
        try:
            body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            chips = {
                str(name): PlacedChip((int(each["size"][0]), int(each["size"][1])), Affine(*each["to_map"]))
                for name, each in body["chips"].items()
            }
            ids = {number: name for number, name in enumerate(chips, 1)}
            return Manifest(body["crs"], str(body["image"]), tuple(str(each) for each in body["classes"]), chips, ids)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetUnreadable(path=str(folder), reason=f"{MANIFEST}: {error}") from error


def _part(is_validation: bool) -> str:
    return "val" if is_validation else "train"


def _write_json(path: Path, body: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")


def _write_png(path: Path, pixels: npt.NDArray[np.uint8], to_map: Affine, crs_wkt: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns, bands = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver="PNG",
            width=columns,
            height=rows,
            count=bands,
            dtype="uint8",
            crs=crs_wkt,
            transform=to_map,
            worldfile="YES",
        ) as made:
            made.write(pixels.transpose(2, 0, 1))
