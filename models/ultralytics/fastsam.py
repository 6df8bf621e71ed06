"""FastSAM through ultralytics: all there is in a tile is segmented at once, and prompts choose (Zhao et al., 2023)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...contract.errors import first_line
from ...contract.model_errors import ModelFileUnusable
from ..base import MOST_CANDIDATES, Candidate, Detection, Embedding, FloatArray, Mask, PixelPrompts, own
from ..devices import Hardware, best_hardware
from ..places import XY
from ..prompted import SATURATION, obedient
from .library import library, read_checkpoint

ENCODING_VERSION = 2
"""Raised when the same weights give other features of a tile."""

IMAGE_PX = 1024
STRIDE = 32
"""Sides of what the network sees are multiples of it."""

ANYTHING = "object"
"""Name of the one class."""

PADDING = 114 / 255
BEFORE_COEFFICIENTS = 6
"""Numbers of each mask: a box, a confidence, the number of its class, then coefficients."""

MIN_CONFIDENCE = 0.4
MOST_OVERLAP = 0.9
"""As its authors use it."""

SCALES = {16: "n", 32: "s", 48: "m", 64: "l", 80: "x"}
"""Sizes of YOLOv8 by the channels of the first layer; FastSAM is published as s and x."""


@dataclass(frozen=True)
class Fit:
    """How a tile lies in what the network sees: scaled, then moved right and down."""

    scale_xy: XY
    left: int
    top: int
    rows: int
    cols: int

    @classmethod
    def of(cls, rows: int, cols: int) -> Fit:
        """Of a tile: the longer side is 1024, the other one padded on both sides to a multiple of 32."""
        scale = IMAGE_PX / max(rows, cols)
        height, width = max(round(rows * scale), 1), max(round(cols * scale), 1)
        return cls(XY(width / cols, height / rows), -width % STRIDE // 2, -height % STRIDE // 2, height, width)

    def to_network(self, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n, 2) of the tile → (n, 2) of the network."""
        return xy * self.scale_xy + (self.left, self.top)

    def to_tile(self, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The inverse of `to_network`."""
        return (xy - (self.left, self.top)) / self.scale_xy


@dataclass(frozen=True)
class Segmented:
    """What was found in a tile, best first.

    boxes: (n, 4) x0, y0, x1, y1 in the network's pixels. confidence: (n,). classes: (n,) their numbers. logits: coefficients
    (n, 32) of prototypes (32, rows / 4, columns / 4). masks: (n, rows / 4, columns / 4) bool, what of these is inside the boxes
    and above 0.
    """

    boxes: Tensor
    confidence: Tensor
    classes: Tensor
    coefficients: Tensor
    prototypes: Tensor
    fit: Fit
    valid: Mask
    masks: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Masks are made once, not with every click."""
        object.__setattr__(self, "masks", _masks(self.boxes, self.coefficients, self.prototypes))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        tensors = (self.boxes, self.confidence, self.classes, self.coefficients, self.prototypes, self.masks)
        return sum(each.nbytes for each in tensors) + self.valid.nbytes

    def features(self) -> dict[str, FloatArray]:
        """See `StorableEmbedding`; what was found has a channel for each number, so that it is kept as it is."""
        found = torch.cat((self.boxes, self.confidence[:, None], self.classes[:, None], self.coefficients), 1)
        return {"found": found.cpu().numpy().reshape(-1, 1), "prototypes": self.prototypes.cpu().numpy()}

    def logits(self, index: int) -> Tensor:
        """(rows, columns) of one of the masks on the tile's pixels."""
        fit = self.fit
        low = torch.einsum("c,chw->hw", self.coefficients[index], self.prototypes)[None, None]
        whole = F.interpolate(low, scale_factor=4, mode="bilinear", align_corners=False)
        inner = whole[..., fit.top : fit.top + fit.rows, fit.left : fit.left + fit.cols]
        if inner.shape[-2:] != self.valid.shape:
            inner = F.interpolate(inner, self.valid.shape, mode="bilinear", align_corners=False)
        logits = inner[0, 0]
        (x0, y0), (x1, y1) = fit.to_tile(self.boxes[index].cpu().numpy().reshape(2, 2))
        rows, cols = (torch.arange(length, device=logits.device) for length in logits.shape)
        in_box = ((rows >= y0) & (rows < y1))[:, None] & (cols >= x0) & (cols < x1)
        return logits.where(in_box, -SATURATION)


class FastSamModel:
    """Prompts choose among the masks of a tile; where several clicks ask for it, masks are joined or cut out of one another."""

    def __init__(self, name: str, folder: Path, hardware: Hardware | None = None) -> None:
        """Raises `ModelFileUnusable`, `ModuleNotFoundError`."""
        self.name = name
        self._hardware = hardware or best_hardware()
        self._net, self.classes = self._open(folder)
        self._net.to(self._hardware.device)

    @torch.inference_mode()
    def encode(self, image: npt.NDArray[np.uint8], valid: Mask) -> Segmented:
        """All masks of a tile."""
        pixels, fit = _letterboxed(torch.from_numpy(image).to(self._hardware.device))
        with self._hardware.autocast():
            found, prototypes = self._net(pixels)[0]
        return segmented(self._kept(found.float()), prototypes[0].float(), fit, valid)

    def _open(self, folder: Path) -> tuple[Any, tuple[str, ...]]:
        """The network, and the names of its classes."""
        return _load(folder), (ANYTHING,)

    def _kept(self, found: Tensor) -> Tensor:
        """(n, 6 + 32) boxes, confidence, class and coefficients of what is an object of its own, the best first."""
        kept: list[Tensor] = library("utils.nms").non_max_suppression(found, MIN_CONFIDENCE, MOST_OVERLAP, nc=self._net.nc)
        return kept[0]

    @property
    def encoding(self) -> str:
        """See `Storing`."""
        return f"{ENCODING_VERSION} {self._hardware.encoder_dtype}"

    def restored(self, features: Mapping[str, FloatArray], valid: Mask) -> Segmented:
        """See `Storing`."""
        prototypes = torch.from_numpy(features["prototypes"]).to(self._hardware.device)
        found = torch.from_numpy(features["found"]).to(self._hardware.device).reshape(-1, BEFORE_COEFFICIENTS + len(prototypes))
        return segmented(found, prototypes, Fit.of(*valid.shape), valid)

    def detections(self, embedding: Embedding, least_score: float) -> Iterator[Detection]:
        """See `Detecting`."""
        found = own(embedding, Segmented)
        for index in torch.nonzero(found.confidence >= least_score).flatten().tolist():
            logits = found.logits(index).clamp(-SATURATION, SATURATION).cpu().numpy()
            logits = np.where(found.valid, logits, -SATURATION).astype(np.float32)
            yield Detection(self.classes[int(found.classes[index])], Candidate(logits, float(found.confidence[index])))

    @torch.inference_mode()
    def decode(self, embedding: Embedding, prompts: PixelPrompts, most: int = MOST_CANDIDATES) -> tuple[Candidate, ...]:
        """At most three candidates; none where no mask agrees with any prompt."""
        embedding = own(embedding, Segmented)
        clicks = {pixel: kind for pixel, kind in prompts.pixels(embedding.valid.shape).items() if embedding.valid[pixel]}
        choice = _Choice(embedding, prompts)
        answers: list[Candidate] = []
        for index in choice.ranked()[:most]:
            logits = choice.joined(index).clamp(-SATURATION, SATURATION).cpu().numpy()
            least = answers[-1].score if answers else 1.0
            answers.append(Candidate(obedient(logits, clicks, embedding.valid), min(least, float(embedding.confidence[index]))))
        return tuple(answers)


def segmented(found: Tensor, prototypes: Tensor, fit: Fit, valid: Mask) -> Segmented:
    """From rows of boxes, confidence, class and coefficients."""
    return Segmented(found[:, :4], found[:, 4], found[:, 5], found[:, BEFORE_COEFFICIENTS:], prototypes, fit, valid)


class _Choice:
    """Which of a tile's masks the prompts mean."""

    def __init__(self, found: Segmented, prompts: PixelPrompts) -> None:
        self._found = found
        self._prompts = prompts
        self._masks = found.masks
        _, height, width = found.prototypes.shape
        device = found.masks.device
        cells = torch.from_numpy(found.fit.to_network(prompts.points_xy) // 4).long().to(device)
        hit = self._masks[:, cells[:, 1].clamp(0, height - 1), cells[:, 0].clamp(0, width - 1)]
        foreground = torch.from_numpy(prompts.foreground).to(device)
        self._inside, self._outside = hit[:, foreground], hit[:, ~foreground]

    def ranked(self) -> list[int]:
        """Masks that agree with the prompts, the best first: fewest clicks on the wrong side, then the best fit."""
        region = self._region()
        wrong = (~self._inside).sum(1) + self._outside.sum(1)
        if region is None:
            fit, agrees = self._found.confidence, self._inside.any(1)
        else:
            shared = (self._masks & region).flatten(1).sum(1)
            fit = shared / (self._masks | region).flatten(1).sum(1).clamp(min=1)
            agrees = shared > 0
        order = np.lexsort((-fit.cpu().numpy(), wrong.cpu().numpy()))
        return [int(index) for index in order if agrees[index]]

    def joined(self, first: int) -> Tensor:
        """Logits of a mask on the tile's pixels: with masks where it misses a click, without those where it should not be."""
        logits, covered, excluded = self._found.logits(first), self._inside[first], self._outside[first]
        for click in torch.nonzero(~covered).flatten().tolist():
            others = torch.nonzero(self._inside[:, click] & ~self._outside.any(1)).flatten()
            if len(others):
                logits = torch.maximum(logits, self._found.logits(int(others[0])))
        for click in torch.nonzero(excluded).flatten().tolist():
            others = torch.nonzero(self._outside[:, click] & ~self._inside.any(1)).flatten()
            if len(others):
                areas = self._masks[others].flatten(1).sum(1)
                logits = torch.minimum(logits, -self._found.logits(int(others[areas.argmin()])))
        return logits

    def _region(self) -> Tensor | None:
        """(rows, columns) of cells that a box or a prior means."""
        fit, prompts = self._found.fit, self._prompts
        _, height, width = self._found.prototypes.shape
        region = torch.zeros(height, width, dtype=torch.bool, device=self._masks.device)
        if prompts.box_xyxy is not None:
            (x0, y0), (x1, y1) = np.rint(fit.to_network(np.reshape(prompts.box_xyxy, (2, 2))) / 4).clip(0).astype(int)
            region[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = True
            return region
        if prompts.prior is None:
            return None
        prior = torch.from_numpy(prompts.prior)[None, None]
        resized = F.interpolate(prior, (fit.rows, fit.cols), mode="bilinear", align_corners=False)
        padded = F.pad(resized, (fit.left, width * 4 - fit.left - fit.cols, fit.top, height * 4 - fit.top - fit.rows))
        return (F.avg_pool2d(padded, 4)[0, 0] > 0.5).to(region.device)


def _masks(boxes: Tensor, coefficients: Tensor, prototypes: Tensor) -> Tensor:
    """See `Segmented`."""
    _, height, width = prototypes.shape
    sides = boxes[:, :, None, None] / 4
    x, y = torch.arange(width).to(boxes) + 0.5, torch.arange(height).to(boxes)[:, None] + 0.5
    in_box = (x >= sides[:, 0]) & (x < sides[:, 2]) & (y >= sides[:, 1]) & (y < sides[:, 3])
    return ((coefficients @ prototypes.flatten(1)).view(-1, height, width) > 0) & in_box


def convert(file: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of an ultralytics checkpoint.

    Raises `ModelFileUnusable`, `ModuleNotFoundError`.
    """
    weights = read_checkpoint(file).weights
    try:
        channels, classes = weights["model.0.conv.weight"].shape[0], weights["model.22.cv3.0.2.weight"].shape[0]
        _network(SCALES[channels], classes).load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise ModelFileUnusable(path=str(file), reason=f"not FastSAM's network: {first_line(error)}") from error
    config = {"model_type": "fastsam", "scale": SCALES[channels], "classes": classes}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"})


def _network(scale: str, classes: int) -> Any:
    return library("nn.tasks").SegmentationModel(f"yolov8{scale}-seg.yaml", ch=3, nc=classes, verbose=False).eval()


def _load(folder: Path) -> Any:
    try:
        config = json.loads((folder / "config.json").read_text())
        net = _network(config["scale"], config["classes"])
        net.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelFileUnusable(path=str(folder), reason=first_line(error)) from error
    net.nc = config["classes"]
    return net.fuse(verbose=False).requires_grad_(False)


def _letterboxed(image: Tensor) -> tuple[Tensor, Fit]:
    """(rows, columns, 3) uint8 → (1, 3, ...) as the network wants it."""
    fit = Fit.of(*image.shape[:2])
    pixels = image.permute(2, 0, 1)[None].float() / 255
    if (fit.rows, fit.cols) != image.shape[:2]:
        pixels = F.interpolate(pixels, (fit.rows, fit.cols), mode="bilinear", antialias=True, align_corners=False)
    down, across = -fit.rows % STRIDE, -fit.cols % STRIDE
    sides = (fit.left, across - fit.left, fit.top, down - fit.top)
    return F.pad(pixels, sides, value=PADDING), fit
