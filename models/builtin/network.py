"""The click network: an encoder run once a tile and a decoder run for each click, at half the tile's resolution.

Encoder: EfficientNet-Lite0 without its head (Tan and Le, ICML 2019) with a feature pyramid (Lin et al., CVPR 2017).
Decoder: a small U-Net (Ronneberger et al., MICCAI 2015) over the cached features and maps of the prompts. Clicks as
Gaussians and the previous mask as input follow RITM (Sofiiuk et al., ICIP 2022); late fusion with cached features, three
masks and predicted IoUs follow SAM (Kirillov et al., ICCV 2023). Its own part: the cosine similarity of every place to the
places clicked and to the previous mask's inside and outside, so that what a click means reaches the whole tile at once.

All lengths are in the network's pixels. `s2` … `s32` name feature maps of that stride. The encoder's activations work in place:
on a CPU, fresh memory for them takes a third of its time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

STRIDE = 32
"""Sides of an image must be multiples of it."""

CANDIDATES = 3

Places = npt.NDArray[np.intp]

PROMPT_MAPS = 12

CLICK_SIGMAS_S4 = (1.5, 6.0)

_LITE0_STAGES = (
    # expansion, kernel, stride, channels, repeats
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
)


def _conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out, eps=1e-3))


class InvertedResidual(nn.Module):
    """Block of EfficientNet-Lite: expand, depthwise, project; no squeeze and excitation; ReLU6."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = _conv_bn(channels_in, wide, 1) if expansion > 1 else None
        self.depthwise = _conv_bn(wide, wide, kernel, stride, groups=wide)
        self.project = _conv_bn(wide, channels_out, 1)
        self.skip = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels_in, h, w) to (b, channels_out, h / stride, w / stride)."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        projected: Tensor = x + y if self.skip else y
        return projected


@dataclass(frozen=True)
class NetWindow:
    """Part of an image, in the network's pixels, multiples of `STRIDE`."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def around(cls, rows: Places, cols: Places, shape: tuple[int, int], margin: int) -> NetWindow:
        """From the first of the rows and columns to the last, with a margin, within an image of a shape."""
        top, bottom = _span(rows, shape[0], margin)
        left, right = _span(cols, shape[1], margin)
        return cls(top, left, bottom, right)

    def of(self, maps: Tensor, stride: int) -> Tensor:
        """That part of maps of a stride, the last two dimensions being rows and columns."""
        return maps[..., self.top // stride : self.bottom // stride, self.left // stride : self.right // stride]


@dataclass(frozen=True)
class Features:
    """What the encoder leaves for the decoder: (b, c, h / stride, w / stride) each; `e4` and `e16` have length 1 along c."""

    s2: Tensor
    s4: Tensor
    s8: Tensor
    s16: Tensor
    s32: Tensor
    e4: Tensor
    e16: Tensor

    def repeat(self, times: int) -> Features:
        """Each item of the batch `times` times, for several objects of one image."""
        return Features(*(getattr(self, f.name).repeat_interleave(times, 0) for f in fields(self)))

    def window(self, window: NetWindow) -> Features:
        """The part in a window; it shares memory with the whole."""
        return Features(**{name: window.of(getattr(self, name), stride) for name, stride in _STRIDES.items()})

    def clone(self) -> Features:
        """With memory of its own."""
        return Features(*(getattr(self, f.name).clone() for f in fields(self)))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))


_STRIDES = {"s2": 2, "s4": 4, "s8": 8, "s16": 16, "s32": 32, "e4": 4, "e16": 16}


class Encoder(nn.Module):
    """Image to features."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv_bn(3, 32, 3, 2)
        channels = 32
        stages = []
        for expansion, kernel, stride, width, repeats in _LITE0_STAGES:
            blocks = []
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, width, expansion, kernel, stride if index == 0 else 1))
                channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.lateral32 = _conv_bn(192, 128, 1)
        self.lateral16 = _conv_bn(112, 96, 1)
        self.lateral8 = _conv_bn(40, 64, 1)
        self.lateral4 = _conv_bn(24, 32, 1)
        self.down_to16 = nn.Conv2d(128, 96, 1)
        self.down_to8 = nn.Conv2d(96, 64, 1)
        self.down_to4 = nn.Conv2d(64, 32, 1)
        self.smooth4 = _conv_bn(32, 32, 3)
        self.embed4 = nn.Conv2d(32, 32, 1)
        self.embed16 = nn.Conv2d(96, 64, 1)

    def forward(self, image: Tensor) -> Features:
        """(b, 3, h, w) RGB in 0..1 with h and w multiples of 32."""
        x = F.relu6(self.stem((image * 255 - 127) / 128), inplace=True)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        b2, b4, b8, _, b16, b32 = maps
        s32 = F.relu(self.lateral32(b32), inplace=True)
        s16 = F.relu(self.lateral16(b16) + _up(self.down_to16(s32)), inplace=True)
        s8 = F.relu(self.lateral8(b8) + _up(self.down_to8(s16)), inplace=True)
        s4 = F.relu(self.lateral4(b4) + _up(self.down_to4(s8)), inplace=True)
        s4 = F.relu(self.smooth4(s4), inplace=True)
        s2 = torch.cat((b2, F.pixel_unshuffle(image - 0.5, 2)), 1)
        return Features(s2, s4, s8, s16, s32, _unit(self.embed4(s4)), _unit(self.embed16(s16)))


@dataclass(frozen=True)
class PromptTensors:
    """Prompts of a batch.

    clicks_xy: (b, n, 2) in pixels. kinds: (b, n) 1 foreground, 0 background, -1 no click. box: (b, 4) x0 y0 x1 y1, all 0
    for none. previous: (b, 1, h / 4, w / 4) probability of the mask so far, all 0 for none. is_answered: previous was answered
    to all of them, elsewhere; else to all but the newest click.
    """

    clicks_xy: Tensor
    kinds: Tensor
    box: Tensor
    previous: Tensor
    is_answered: bool = False

    def window(self, window: NetWindow) -> PromptTensors:
        """The same as seen from a window."""
        corner = torch.tensor((window.left, window.top), device=self.clicks_xy.device)
        box = self.box - corner.repeat(2) if self.box.any() else self.box
        return PromptTensors(self.clicks_xy - corner, self.kinds, box, window.of(self.previous, 4), self.is_answered)


def prompt_maps(features: Features, prompts: PromptTensors) -> Tensor:
    """(b, PROMPT_MAPS, h / 4, w / 4): where prompts are and what looks like them."""
    height, width = features.s4.shape[-2:]
    xs = torch.arange(width, device=features.s4.device) + 0.5
    ys = torch.arange(height, device=features.s4.device) + 0.5
    places = prompts.clicks_xy / 4
    maps = []
    kinds = [prompts.kinds == kind for kind in (1, 0)]
    for sigma in CLICK_SIGMAS_S4:
        along_x = torch.exp(-((xs - places[..., :1]) ** 2) / (2 * sigma**2))
        along_y = torch.exp(-((ys - places[..., 1:]) ** 2) / (2 * sigma**2))
        for chosen in kinds:
            maps.append(((along_y * chosen[..., None])[..., :, None] * along_x[..., None, :]).amax(1, keepdim=True))
    for embedded, stride in ((features.e4, 4), (features.e16, 16)):
        likeness = _similarity_to_clicks(embedded, prompts.clicks_xy / stride)
        for chosen in kinds:
            best = likeness.masked_fill(~chosen[..., None, None], -1).amax(1, keepdim=True)
            maps.append(best if stride == 4 else F.interpolate(best, (height, width), mode="bilinear"))
    x0, y0, x1, y1 = (prompts.box / 4).unbind(-1)
    in_x = (xs > x0[:, None]) & (xs < x1[:, None])
    in_y = (ys > y0[:, None]) & (ys < y1[:, None])
    maps.append((in_y[:, None, :, None] & in_x[:, None, None, :]).to(features.s4.dtype))
    maps.append(prompts.previous)
    for share in (prompts.previous, _ring(prompts.previous)):
        weight = share.sum((-2, -1), keepdim=True).clamp_min(1e-3)
        mean = _unit((features.e4 * share).sum((-2, -1), keepdim=True) / weight)
        present = (weight > 1).to(features.s4.dtype)
        maps.append((features.e4 * mean).sum(1, keepdim=True) * present - (1 - present))
    return torch.cat([m.to(features.s4.dtype) for m in maps], 1)


class Decoder(nn.Module):
    """Features and prompts to masks."""

    def __init__(self) -> None:
        super().__init__()
        self.enter4 = nn.Sequential(_conv_bn(32 + PROMPT_MAPS, 32, 3), nn.ReLU(), _conv_bn(32, 32, 3), nn.ReLU())
        self.enter8 = _Merge(32, 64, 64)
        self.enter16 = _Merge(64, 96, 96)
        self.enter32 = _Merge(96, 128, 128)
        self.attention = nn.MultiheadAttention(128, 4, batch_first=True)
        self.attention_norm = nn.LayerNorm(128)
        self.leave16 = _Rise(128, 96)
        self.leave8 = _Rise(96, 64)
        self.leave4 = _Rise(64, 32)
        self.coarse = nn.Conv2d(32, CANDIDATES, 1)
        self.enter2 = nn.Sequential(_conv_bn(32 + 28 + CANDIDATES, 24, 3), nn.ReLU(), _conv_bn(24, 24, 3), nn.ReLU())
        self.fine = nn.Conv2d(24, 4 * CANDIDATES, 3, padding=1)
        self.quality = nn.Sequential(nn.Linear(128 + 32 + 1, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, features: Features, prompts: PromptTensors) -> tuple[Tensor, Tensor]:
        """Logits (b, 3, h, w) and predicted IoUs (b, 3)."""
        x4, coarse, quality = self.look(features, prompts)
        return self.refine(x4, coarse, features.s2), quality

    def look(self, features: Features, prompts: PromptTensors) -> tuple[Tensor, Tensor, Tensor]:
        """The whole tile: features (b, 32, h / 4, w / 4), logits (b, 3, h / 4, w / 4), predicted IoUs (b, 3)."""
        x4 = self.enter4(torch.cat((features.s4, prompt_maps(features, prompts)), 1))
        x8 = self.enter8(x4, features.s8)
        x16 = self.enter16(x8, features.s16)
        x32 = self._attend(self.enter32(x16, features.s32))
        x4 = self.leave4(self.leave8(self.leave16(x32, x16), x8), x4)
        coarse = self.coarse(x4)
        return x4, coarse, self._predict_iou(x4, x32, coarse)

    def refine(self, x4: Tensor, coarse: Tensor, s2: Tensor) -> Tensor:
        """Logits (b, 3, h, w) of the whole tile, or of the part of it that all three inputs were cut to."""
        up = _up(torch.cat((x4, coarse), 1))
        x2 = self.enter2(torch.cat((up, s2), 1))
        fine = F.pixel_shuffle(self.fine(x2), 2)
        return fine + _up(up[:, 32:])

    def _attend(self, x32: Tensor) -> Tensor:
        tokens = x32.flatten(2).transpose(1, 2)
        tokens = self.attention_norm(tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0])
        return cast(Tensor, tokens.transpose(1, 2).reshape(x32.shape))

    def _predict_iou(self, x4: Tensor, x32: Tensor, coarse: Tensor) -> Tensor:
        inside = coarse.sigmoid()
        area = inside.sum((-2, -1))
        mean_x4 = torch.einsum("bkhw,bchw->bkc", inside, x4) / area.clamp_min(1)[..., None]
        certainty = ((2 * inside - 1).abs() * inside).sum((-2, -1)) / area.clamp_min(1)
        overall = x32.mean((-2, -1))[:, None].expand(-1, CANDIDATES, -1)
        return cast(Tensor, self.quality(torch.cat((overall, mean_x4, certainty[..., None]), -1)).squeeze(-1).sigmoid())


class _Merge(nn.Module):
    """Halves the resolution and joins the encoder's features there."""

    def __init__(self, channels_in: int, channels_there: int, channels_out: int) -> None:
        super().__init__()
        self.down = _conv_bn(channels_in, channels_out, 3, 2)
        self.there = nn.Conv2d(channels_there, channels_out, 1)
        self.mix = _conv_bn(channels_out, channels_out, 3)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        x = F.relu(self.down(x) + self.there(there))
        return F.relu(x + self.mix(x))


class _Rise(nn.Module):
    """Doubles the resolution and joins what was there on the way down."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels_in, channels_out, 1)
        self.mix = _conv_bn(channels_out, channels_out, 3)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        x = there + _up(self.narrow(x))
        return F.relu(x + self.mix(x))


class ClickNet(nn.Module):
    """Encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()


def _span(places: Places, length: int, margin: int) -> tuple[int, int]:
    low = max(int(places.min()) - margin, 0) // STRIDE * STRIDE
    return low, min(-(-(int(places.max()) + 1 + margin) // STRIDE) * STRIDE, length)


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x, dim=1)


def _ring(previous: Tensor) -> Tensor:
    """What lies within five cells around the mask, but outside of it."""
    grown = F.max_pool2d(F.max_pool2d(previous, (11, 1), 1, (5, 0)), (1, 11), 1, (0, 5))
    return (grown - previous).clamp_min(0)


def _similarity_to_clicks(embedded: Tensor, places: Tensor) -> Tensor:
    """(b, n, h, w) cosine of each cell to the cells at (b, n, 2) places (x, y in cells)."""
    height, width = embedded.shape[-2:]
    col = places[..., 0].long().clamp(0, width - 1)
    row = places[..., 1].long().clamp(0, height - 1)
    index = (row * width + col)[:, None, :].expand(-1, embedded.shape[1], -1)
    there = embedded.flatten(2).gather(2, index)
    return torch.einsum("bcn,bchw->bnhw", there, embedded)
