"""The built-in model: `ClickNet` on a tile, its answers kept for the next click, every click obeyed."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...contract.errors import first_line
from ..base import MOST_CANDIDATES, Candidate, Cells, Embedding, FloatArray, FloatImage, Mask, PixelPrompts, own
from ..devices import best_device
from ..prompted import KEPT_ANSWERS, SATURATION, PromptKey, answer_before, answers, obedient, prompt_key
from ..recently_used import RecentlyUsed
from .adaptation import corrected
from .appearance import sharpened
from .boxes import ellipse_in
from .learning import Learner, example_of
from .merging import merged
from .network import STRIDE, ClickNet, Features, NetWindow, PromptTensors
from .windows import CellWindow, possible_part, reaches_cut, search_window, window_around

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).with_name("clicknet.safetensors")

REDUCTION = 2
"""Pixels of the tile for each of the network's."""

ENCODING_VERSION = 1
"""Raised when the same weights give other features of a tile."""

SAME_IOU = 0.95
"""Candidates more alike than this are one."""


@dataclass(frozen=True)
class TileEmbedding:
    """Cached features of a tile, its valid pixels, and the answers given so far as (h / 4, w / 4) probabilities."""

    maps: Features
    valid: Mask
    answers: RecentlyUsed[PromptKey, Tensor] = field(default_factory=answers)

    @property
    def nbytes(self) -> int:
        """Memory held once as many answers are kept as there may be."""
        cells = self.maps.s4.shape[-2] * self.maps.s4.shape[-1]
        return self.maps.nbytes + self.valid.nbytes + KEPT_ANSWERS * 4 * cells

    @property
    def whole(self) -> NetWindow:
        """All of the tile."""
        rows, cols = (4 * cells for cells in self.maps.s4.shape[-2:])
        return NetWindow(0, 0, rows, cols)

    def features(self) -> dict[str, FloatArray]:
        """See `StorableEmbedding`."""
        return {each.name: getattr(self.maps, each.name)[0].cpu().numpy() for each in fields(Features)}


@dataclass(frozen=True)
class Look:
    """What the decoder saw in a window; prompts in the whole tile's coordinates.

    x4: its features (1, 32, h / 4, w / 4). coarse: logits (1, 3, h / 4, w / 4). quality: predicted IoUs (3,).
    """

    window: NetWindow
    prompts: PromptTensors
    x4: Tensor
    coarse: Tensor
    quality: Tensor

    @property
    def answer(self) -> Tensor:
        """(1, 1, h / 4, w / 4) probability of the best candidate."""
        return self.coarse[:, self.quality.argmax()][:, None].sigmoid()


class BuiltinModel:
    """Answers depend on the prompts and their order alone: what came before is computed again where it was forgotten."""

    name = "builtin"

    def __init__(self, weights: Path = WEIGHTS, device: torch.device | None = None) -> None:
        net = ClickNet()
        net.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
        _fuse(net.eval())
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = _settled(net, device or best_device())
        self._encoder, self._decoder = net.encoder, net.decoder
        self._learner: Learner | None = None

    def learner(self) -> BuiltinModel:
        """A copy with a decoder of its own."""
        own = copy.copy(self)
        own._learner = Learner(self._decoder)
        own._decoder = own._learner.decoder
        return own

    def learn(self, embedding: Embedding, accepted: Mask, before_step: Callable[[], None]) -> None:
        """A few gradient steps towards the (rows, columns) mask; of a copy that `learner` made."""
        embedding = own(embedding, TileEmbedding)
        if self._learner is None:
            raise TypeError("only a copy that `learner` made can learn")
        rows, cols = (-side % REDUCTION for side in accepted.shape)
        whole = torch.from_numpy(np.pad(accepted, ((0, rows), (0, cols)))).float()[None, None]
        example = example_of(embedding.maps, (F.avg_pool2d(whole, REDUCTION)[0, 0] >= 0.5).numpy())
        if example is not None:
            self._learner.learn(example, before_step)

    @torch.inference_mode()
    def encode(self, image: npt.NDArray[np.uint8], valid: Mask) -> TileEmbedding:
        """Features of the tile at half its resolution; what is not valid shows the mean of what is."""
        pixels = torch.from_numpy(image).to(self._device).float()
        if not valid.all() and valid.any():
            present = torch.from_numpy(valid).to(self._device)
            pixels[~present] = pixels[present].mean(0)
        rows, cols = (-side % (STRIDE * REDUCTION) for side in valid.shape)
        if rows or cols:
            pixels = F.pad(pixels.permute(2, 0, 1), (0, cols, 0, rows), mode="replicate").permute(1, 2, 0)
        channels_first = _halved(pixels).permute(2, 0, 1)[None] / 255
        return TileEmbedding(self._encoder(channels_first.contiguous(memory_format=torch.channels_last)), valid)

    @property
    def encoding(self) -> str:
        """See `Storing`."""
        return f"{ENCODING_VERSION} float32"

    def restored(self, features: Mapping[str, FloatArray], valid: Mask) -> TileEmbedding:
        """See `Storing`."""
        maps = {each.name: torch.from_numpy(features[each.name])[None].to(self._device) for each in fields(Features)}
        return TileEmbedding(Features(**maps), valid)

    @torch.inference_mode()
    def describe(self, embedding: Embedding) -> Cells:
        """See `Describing`: all levels of the encoder."""
        embedding = own(embedding, TileEmbedding)
        maps = embedding.maps
        shape = maps.s8.shape[-2:]
        coarser = (F.interpolate(each, shape, mode="bilinear") for each in (maps.s16, maps.s32))
        cells = torch.cat((F.avg_pool2d(maps.s4, 2), maps.s8, *coarser), 1)[0].float().cpu().numpy()
        return Cells(cells, 8 * REDUCTION)

    @torch.inference_mode()
    def decode(self, embedding: Embedding, prompts: PixelPrompts, most: int = MOST_CANDIDATES) -> tuple[Candidate, ...]:
        """Up to three candidates; none where no prompt lies on a valid pixel."""
        embedding = own(embedding, TileEmbedding)
        clicks = {pixel: kind for pixel, kind in prompts.pixels(embedding.valid.shape).items() if embedding.valid[pixel]}
        unprompted = not clicks and prompts.box_xyxy is None and prompts.prior is None
        if unprompted or not embedding.valid.any():
            return ()
        tensors = self._tensors(embedding, prompts)
        seen = self._look(embedding, prompts, tensors)
        order = self._whole_ones(embedding, seen, _distinct(seen.coarse[0], seen.quality, most))
        return tuple(
            Candidate(obedient(logits, clicks, embedding.valid), float(seen.quality[index]))
            for index, logits in zip(order, self._fine(embedding, seen, order), strict=True)
        )

    def _look(self, embedding: TileEmbedding, prompts: PixelPrompts, tensors: PromptTensors) -> Look:
        """The coarse answer, adapted to the clicks, and kept for the prompts that follow.

        A box alone is looked at once more, with the first answer in place of the ellipse that it began with.
        """
        seen = self._look_around(embedding, tensors)
        if prompts.box_xyxy is not None and prompts.prior is None and not len(prompts.points_xy):
            seen = self._look_around(embedding, replace(tensors, previous=self._in_tile(embedding, seen)))
        embedding.answers.put(prompt_key(prompts, self._version), self._in_tile(embedding, seen))
        return seen

    def _look_around(self, embedding: TileEmbedding, tensors: PromptTensors) -> Look:
        """Near the prompts, and in all of the tile where the best answer comes near to what was left out."""
        whole = embedding.whole
        window = search_window(tensors, whole)
        seen = self._look_at(embedding.maps, tensors, window)
        if window != whole and reaches_cut(seen.answer, window, whole):
            seen = self._look_at(embedding.maps, tensors, whole)
        return seen

    @staticmethod
    def _whole_ones(embedding: TileEmbedding, seen: Look, order: Sequence[int]) -> Sequence[int]:
        """The best answer, and those others that what was looked at does not cut off: more was looked at for the best alone."""
        others = (n for n in order[1:] if not reaches_cut(seen.coarse[:, [n]].sigmoid(), seen.window, embedding.whole))
        return [*order[:1], *others]

    def _in_tile(self, embedding: TileEmbedding, seen: Look) -> Tensor:
        """The best answer of a window, 0 in the rest of the tile."""
        answer = torch.zeros(1, 1, *embedding.maps.s4.shape[-2:], device=self._device)
        seen.window.of(answer, 4)[:] = seen.answer
        return answer

    def _look_at(self, features: Features, tensors: PromptTensors, window: NetWindow) -> Look:
        there, prompts = features.window(window), tensors.window(window)
        x4, coarse, quality = self._decoder.look(there, prompts)
        settled = corrected(coarse, there.e4, prompts)
        if not prompts.is_answered:  # else all of it is new here
            settled = merged(settled, int(quality[0].argmax()), prompts)
        return Look(window, tensors, x4, settled, quality[0])

    def _tensors(self, embedding: TileEmbedding, prompts: PixelPrompts) -> PromptTensors:
        """Clicks, box, and the answer before the last click."""
        xy = torch.from_numpy(prompts.points_xy / REDUCTION).float()[None]
        kinds = torch.from_numpy(prompts.foreground.astype(np.int64))[None]
        if not len(prompts.points_xy):
            xy, kinds = torch.zeros(1, 1, 2), torch.full((1, 1), -1)
        box = torch.tensor([prompts.box_xyxy or (0.0, 0.0, 0.0, 0.0)]).float() / REDUCTION
        previous = self._previous(embedding, prompts, box[0])
        xy, kinds, box = (each.to(self._device) for each in (xy, kinds, box))
        return PromptTensors(xy, kinds, box, previous, prompts.prior_is_answer)

    def _previous(self, embedding: TileEmbedding, prompts: PixelPrompts, box: Tensor) -> Tensor:
        before = answer_before(embedding.answers, prompts, self._version, lambda earlier: self._answered(embedding, earlier))
        if before is not None:
            return before
        cells = embedding.maps.s4.shape[-2:]
        if prompts.prior is None and prompts.box_xyxy is not None:
            return ellipse_in(box / 4, cells).to(self._device)
        if prompts.prior is None:
            return torch.zeros(1, 1, *cells, device=self._device)
        prior = torch.from_numpy(prompts.prior).to(self._device)[None, None]
        rows, cols = (4 * REDUCTION * n - side for n, side in zip(cells, prompts.prior.shape, strict=True))
        return F.avg_pool2d(F.pad(prior, (0, cols, 0, rows)), 4 * REDUCTION)

    def _answered(self, embedding: TileEmbedding, prompts: PixelPrompts) -> Tensor:
        """(1, 1, h / 4, w / 4) answer to prompts, kept for those that follow."""
        seen = self._look(embedding, prompts, self._tensors(embedding, prompts))
        return self._in_tile(embedding, seen)

    @property
    def _version(self) -> int:
        return 0 if self._learner is None else self._learner.version

    def _fine(self, embedding: TileEmbedding, seen: Look, order: Sequence[int]) -> FloatImage:
        """(k, rows, columns) logits of the tile; each computed only around what the coarse answer calls possible.

        An answer is the same whichever others are asked for.
        """
        result = np.full((len(order), *embedding.valid.shape), -SATURATION, np.float32)
        parts = {index: part for index in order if (part := possible_part(seen.coarse[0, index])) is not None}
        if not parts:
            return result
        shape = (seen.coarse.shape[-2], seen.coarse.shape[-1])
        around = window_around(list(parts.values()), shape)
        s2 = around.of(seen.window.of(embedding.maps.s2, 2), 0.5)
        fine = self._decoder.refine(around.of(seen.x4), around.of(seen.coarse), s2)
        pixels = F.pixel_shuffle(s2[:, -12:], 2)[0]
        for plane, index in zip(result, order, strict=True):
            if index in parts:
                part = parts[index]
                own = part.within(around)
                clicks = _clicks_in(seen, part)
                [logits] = sharpened(own.of(fine[0, [index]], 0.25), own.of(pixels, 0.25), clicks)
                _paint(plane, logits, seen.window, part)
        return result


def _settled(net: ClickNet, device: torch.device) -> torch.device:
    """Where the network runs now: on the device, or on the CPU where that one fails, which only a try can tell."""
    try:
        net.to(device)
        if device.type != "cpu":
            with torch.inference_mode():
                net.encoder(torch.zeros(1, 3, STRIDE, STRIDE, device=device))
    except RuntimeError as error:
        log.warning("%s does not work (%s): the built-in model runs on the CPU, slower", device, first_line(error))
        net.to("cpu")
        return torch.device("cpu")
    return device


def _fuse(module: nn.Module) -> None:
    """Fold batch normalisation into the convolutions before it."""
    for name, child in module.named_children():
        match list(child.children()):
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm]:
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
            case _:
                _fuse(child)


def _clicks_in(seen: Look, part: CellWindow) -> Tensor:
    """(n, 3) rows, columns and kinds of the clicks within a part of what was looked at, counted from its corner."""
    given = seen.prompts.kinds[0] >= 0
    corner = torch.tensor((seen.window.top + 4 * part.top, seen.window.left + 4 * part.left), device=given.device)
    sides = torch.tensor((part.bottom - part.top, part.right - part.left), device=given.device) * 4
    rows_cols = seen.prompts.clicks_xy[0, given].flip(-1).long() - corner
    inside = (rows_cols >= 0).all(1) & (rows_cols < sides).all(1)
    return torch.cat((rows_cols, seen.prompts.kinds[0, given][:, None]), 1)[inside]


def _paint(plane: FloatImage, logits: Tensor, window: NetWindow, part: CellWindow) -> None:
    """Logits of a part, at the tile's resolution, into the tile's plane."""
    fine = F.interpolate(logits[None, None], scale_factor=REDUCTION, mode="bilinear")[0, 0].clamp(-SATURATION, SATURATION)
    row, col = (REDUCTION * (start + 4 * cells) for start, cells in ((window.top, part.top), (window.left, part.left)))
    there = plane[row : row + fine.shape[0], col : col + fine.shape[1]]
    there[:] = fine[: there.shape[0], : there.shape[1]].cpu().numpy()


def _halved(pixels: Tensor) -> Tensor:
    """(rows, columns, channels) at half the resolution, both even: means of four; on the CPU much faster than pooling."""
    pairs = pixels[0::2] + pixels[1::2]
    return (pairs[:, 0::2] + pairs[:, 1::2]) / REDUCTION**2


def _distinct(coarse: Tensor, quality: Tensor, most: int) -> list[int]:
    """Indices of the candidates, best first, without those that repeat a better one."""
    inside = coarse > 0
    kept: list[int] = []
    for index in quality.argsort(descending=True).tolist():
        if len(kept) == most:
            break
        mask = inside[index]
        ious = [float((mask & inside[k]).sum() / (mask | inside[k]).sum().clamp_min(1)) for k in kept]
        if not kept or max(ious) < SAME_IOU:
            kept.append(index)
    return kept
