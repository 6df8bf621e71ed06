"""SAM, SAM-HQ, SAM 2 and SAM 3 through transformers, MobileSAM with one more library; a folder holds `config.json` and weights.

Kirillov et al. (ICCV 2023), Ke et al. (NeurIPS 2023), Ravi et al. (2024), Carion et al. (2025). The encoder runs once a tile;
points, box and the low-resolution logits of the answer before go to the decoder, as the authors' predictors do it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ...contract.errors import first_line
from ...contract.model_errors import ModelFailed, ModelFileUnusable
from ..base import MOST_CANDIDATES, Candidate, Embedding, FloatArray, Mask, PixelPrompts, RenderedTile, own
from ..devices import CPU, Hardware, best_hardware, is_out_of_memory
from ..library.families import SamFamily, read_family
from ..library.measured import Measured
from ..prompted import KEPT_ANSWERS, SATURATION, PromptKey, answer_before, answers, obedient, prior_box, prompt_key
from ..recently_used import RecentlyUsed
from .accelerators import Encoder, accelerate, accelerated
from .decoder import CachedDecoder, DecoderFeatures

log = logging.getLogger(__name__)

Result = TypeVar("Result")

ENCODING_VERSION = 1
"""Raised when the same weights give other features of a tile."""

PRIOR_LOGIT = 6.0
"""A prior probability of 1 becomes this logit, and 0 its negative."""


@dataclass(frozen=True)
class TileEmbedding:
    """What the encoder gives for a tile, and low-resolution answers."""

    maps: DecoderFeatures
    valid: Mask
    answers: RecentlyUsed[PromptKey, Tensor] = field(default_factory=answers)

    @property
    def nbytes(self) -> int:
        """Memory held once as many answers are kept as there may be."""
        rows, cols = self.maps.shape
        return self.maps.nbytes + self.valid.nbytes + KEPT_ANSWERS * 4 * 16 * rows * cols

    def features(self) -> dict[str, FloatArray]:
        """See `StorableEmbedding`."""
        return self.maps.channels_first()


class FlatEncoder(nn.Module):
    """The library's encoder; gives a tuple of tensors alone."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Of (n, 3, side, side): SAM's embeddings; SAM-HQ's and its first global layer; of others all maps, finest first."""
        match self.net.get_image_embeddings(pixels):
            case torch.Tensor() as embeddings:
                return (embeddings,)
            case (embeddings, layers):
                return embeddings, layers[0]
            case maps:
                return tuple(maps)


class SamModel:
    """One of the family. Answers depend on the prompts and their order alone."""

    def __init__(
        self, name: str, folder: Path, hardware: Hardware | None = None, network: Callable[[Path], Any] | None = None
    ) -> None:
        """network: makes the network of a folder; None for transformers' own of its kind. Raises `ModelFileUnusable`."""
        self.name = name
        self._hardware = hardware or best_hardware()
        self._batch = self._hardware.batch
        self._family = _family(folder)
        self._net = (network or _load)(folder)
        self._with_room(self._settle)
        self._image_px = int(self._net.prompt_encoder.input_image_size)
        self._folder = folder
        is_cpu = self._hardware.device.type == "cpu"
        self._encoder: Encoder = (accelerated(folder) if is_cpu else None) or FlatEncoder(self._net)

    def accelerate(self) -> Measured:
        """Convert the encoder for OpenVINO and use it from now on where it is faster.

        Raises `ModelFailed` where it can't be converted, and `ModuleNotFoundError` without OpenVINO.
        """
        if self._hardware.device.type != "cpu":
            raise ModelFailed(name=self.name, reason=f"it runs on {self._hardware.name}, which is faster than OpenVINO")
        example = torch.rand(1, 3, self._image_px, self._image_px)
        try:
            found = accelerate(FlatEncoder(self._net).eval(), example, self._folder, self._hardware)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # OpenVINO's own are plain exceptions
            raise ModelFailed(name=self.name, reason=first_line(error)) from error
        self._encoder = accelerated(self._folder) or self._encoder
        return found

    @torch.inference_mode()
    def _settle(self) -> None:
        """Move to the device."""
        self._net.to(self._hardware.device)
        self._decoder = CachedDecoder(self._net)

    @property
    def _device(self) -> torch.device:
        return self._hardware.device

    def _with_room(self, work: Callable[[], Result]) -> Result:
        """Do it on the CPU, from now on, where the GPU's memory is too small; raises `ModelFailed`."""
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if self._hardware is CPU:
                raise ModelFailed(name=self.name, reason="the memory is full") from error
            log.warning("%s does not fit into the memory of %s: it runs on the CPU, slower", self.name, self._hardware.name)
            self._hardware, self._batch = CPU, CPU.batch
            self._settle()
            torch.cuda.empty_cache()
            return self._with_room(work)

    @torch.inference_mode()
    def encode(self, image: npt.NDArray[np.uint8], valid: Mask) -> TileEmbedding:
        """The encoder's output for a tile."""
        [features] = self._with_room(lambda: self._features([image]))
        return TileEmbedding(features, valid)

    @property
    def batch(self) -> int:
        """See `Batching`."""
        return self._batch

    @torch.inference_mode()
    def encode_all(self, tiles: Sequence[RenderedTile]) -> list[Embedding]:
        """As `encode` of each; fewer together from now on where the memory is too small for all."""
        found: list[Embedding] = []
        while len(found) < len(tiles):
            some = tiles[len(found) : len(found) + self._batch]
            if len(some) == 1:
                found.append(self.encode(*some[0]))
                continue
            try:
                features = self._features([image for image, _ in some])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._batch = len(some) // 2
                log.info("%s encodes %d tiles together: the memory is too small for more", self.name, self._batch)
            else:
                found += [TileEmbedding(each, valid) for each, (_, valid) in zip(features, some, strict=True)]
        return found

    def _features(self, images: Sequence[npt.NDArray[np.uint8]]) -> list[DecoderFeatures]:
        pixels = torch.cat([self._pixels(image) for image in images])
        with self._hardware.autocast():
            found = [maps.float() for maps in self._encoder(pixels)]
        own = [[tile[None].clone() for tile in maps] if len(images) > 1 else [maps] for maps in found]  # views hold all
        each = zip(*own, strict=True)
        match len(found):
            case 1:
                return [self._decoder.prepare(embeddings) for (embeddings,) in each]
            case 2:  # SAM-HQ
                return [self._decoder.prepare(embeddings, early=layer) for embeddings, layer in each]
            case _:
                return [self._decoder.prepare(maps[-1], finer=maps[:-1]) for maps in each]

    def _pixels(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """(1, 3, side, side), resized and normalised as the library's processor does it."""
        pixels = torch.from_numpy(image).to(self._device).permute(2, 0, 1)[None].float()
        size = self._resized(image.shape[:2])
        if tuple(pixels.shape[-2:]) != size:
            pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False).round().clamp(0, 255)
        mean, std = (torch.tensor(v, device=self._device).view(1, 3, 1, 1) for v in (self._family.mean, self._family.std))
        return F.pad((pixels / 255 - mean) / std, (0, self._image_px - size[1], 0, self._image_px - size[0]))

    @property
    def encoding(self) -> str:
        """See `Storing`."""
        return f"{ENCODING_VERSION} {self._hardware.encoder_dtype}"

    def restored(self, features: Mapping[str, FloatArray], valid: Mask) -> TileEmbedding:
        """See `Storing`."""
        return TileEmbedding(DecoderFeatures.of_channels(features).to(self._device), valid)

    @torch.inference_mode()
    def decode(self, embedding: Embedding, prompts: PixelPrompts, most: int = MOST_CANDIDATES) -> tuple[Candidate, ...]:
        """At most three candidates; none where no prompt lies on a valid pixel."""
        embedding = own(embedding, TileEmbedding)
        valid = embedding.valid
        clicks = {pixel: kind for pixel, kind in prompts.pixels(valid.shape).items() if valid[pixel]}
        if not valid.any() or (not clicks and prompts.box_xyxy is None and prompts.prior is None):
            return ()
        logits, scores = self._with_room(lambda: self._answer(embedding, prompts))
        rows, cols = self._resized(valid.shape)
        best = scores.argsort(descending=True)[:most]
        whole = F.interpolate(logits[best][None], (self._image_px, self._image_px), mode="bilinear", align_corners=False)
        tile = F.interpolate(whole[..., :rows, :cols], valid.shape, mode="bilinear", align_corners=False)[0]
        masks = tile.clamp(-SATURATION, SATURATION).float().cpu().numpy()
        shown = scores[best].clamp(0, 1).tolist()
        return tuple(Candidate(obedient(mask, clicks, valid), score) for mask, score in zip(masks, shown, strict=True))

    def _answer(self, embedding: TileEmbedding, prompts: PixelPrompts) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (3, h, w) and predicted IoUs (3,); the best is kept for the prompts that follow."""
        rows, cols = self._resized(embedding.valid.shape)
        scale = np.array((cols, rows)) / embedding.valid.shape[::-1]
        given: dict[str, Tensor] = {}
        if len(prompts.points_xy):
            # The library adds half a pixel: it counts from pixel middles.
            points = torch.from_numpy(prompts.points_xy * scale - 0.5).float()
            given["input_points"] = points[None, None].to(self._device)
            given["input_labels"] = torch.from_numpy(prompts.foreground.astype(np.int64))[None, None].to(self._device)
        box_xyxy = prompts.box_xyxy if given else prompts.box_xyxy or prior_box(prompts)
        if box_xyxy is not None:
            box = np.asarray(box_xyxy) * np.tile(scale, 2) - 0.5
            given["input_boxes"] = torch.from_numpy(box).float()[None, None].to(self._device)
        before = self._before(embedding, prompts)
        if before is not None:
            given["input_masks"] = before.to(self._device)[None, None]
        logits, scores = self._decoder.decode(embedding.maps.to(self._device), given)
        embedding.answers.put(prompt_key(prompts), logits[scores.argmax()].clone())
        return logits, scores

    def _answered(self, embedding: TileEmbedding, prompts: PixelPrompts) -> Tensor:
        """Low-resolution logits of the best answer, kept for the prompts that follow."""
        logits, scores = self._answer(embedding, prompts)
        return logits[scores.argmax()]

    def _before(self, embedding: TileEmbedding, prompts: PixelPrompts) -> Tensor | None:
        """Low-resolution logits of the answer before the newest click, else of the prior."""
        before = answer_before(embedding.answers, prompts, 0, lambda earlier: self._answered(embedding, earlier))
        if before is not None:
            return before
        if prompts.prior is None:
            return None
        rows, cols = self._resized(embedding.valid.shape)
        prior = torch.from_numpy(prompts.prior).to(self._device)[None, None]
        resized = F.interpolate(prior, (rows, cols), mode="bilinear", align_corners=False)
        padded = F.pad(resized, (0, self._image_px - cols, 0, self._image_px - rows))
        size = tuple(self._net.prompt_encoder.mask_input_size) if self._family.stretched else (256, 256)
        return PRIOR_LOGIT * (2 * F.adaptive_avg_pool2d(padded, size)[0, 0] - 1)

    def _resized(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(rows, columns) that a tile of a shape has in the network."""
        if self._family.stretched:
            return self._image_px, self._image_px
        scale = self._image_px / max(shape)
        return int(shape[0] * scale + 0.5), int(shape[1] * scale + 0.5)


def _family(folder: Path) -> SamFamily:
    _, family = read_family(folder)
    if not isinstance(family, SamFamily):
        raise ModelFileUnusable(path=str(folder), reason=f"{family.title} is none of SAM's kin")
    return family


def _load(folder: Path) -> Any:
    import transformers

    kind, _ = read_family(folder)
    family = _family(folder)
    load: Callable[..., Any] = getattr(transformers, family.transformers_class).from_pretrained
    try:
        net, report = load(folder, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32)
    except Exception as error:  # of safetensors, huggingface's hub and transformers, each its own, for each way to be broken
        if is_out_of_memory(error):
            raise ModelFailed(name=folder.name, reason="the memory is full") from error
        raise ModelFileUnusable(path=str(folder), reason=first_line(error)) from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelFileUnusable(path=str(folder), reason=f"{len(missing)} weights are missing, {missing[0]} for one")
    net.eval()
    if kind == "edgetam":
        import timm

        net.vision_encoder.backbone = timm.utils.reparameterize_model(net.vision_encoder.backbone)  # branches as one, faster
    return net
