"""SAM's mask decoder on the library's weights, with all that no prompt changes computed once a tile.

Equal to the library's own path but for rounding (Kirillov et al., ICCV 2023, appendix A; high-resolution features: Ravi et al.,
2024; the extra token of SAM-HQ: Ke et al., NeurIPS 2023). It differs in the order of the products: the few tokens are
projected in place of the thousands of image cells, and transposed convolutions of stride 2 are one product a cell.
For SAM-HQ it follows the authors: transformers 5.23 upscales the image as it was before the tokens saw it.

`m` cells of the image, `n` tokens, `c` channels, `h` heads of `d` channels. Maps of finer strides are nested: all pixels of
a cell lie together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ..base import FloatArray

CANDIDATES = 3


@dataclass(frozen=True)
class DecoderFeatures:
    """A tile, ready to be decoded.

    cells: (m, c) row by row. stride8: (m, 4, 64) and stride4: (m, 4, 4, 32), of SAM 2 and later. fine: (1, 32, 4 rows,
    4 columns), of SAM-HQ.
    """

    shape: tuple[int, int]
    cells: Tensor
    stride8: Tensor | None = None
    stride4: Tensor | None = None
    fine: Tensor | None = None

    def to(self, device: torch.device) -> DecoderFeatures:
        """The same on a device."""
        if self.cells.device == device:
            return self
        return DecoderFeatures(self.shape, *(None if t is None else t.to(device) for t in self._maps))  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(t.nbytes for t in self._maps if t is not None)

    def channels_first(self) -> dict[str, FloatArray]:
        """(channels, ...) arrays by name; the inverse of `of_channels`."""
        rows, cols = self.shape
        found = {"cells": self.cells.T.reshape(-1, rows, cols), "stride8": self.stride8, "stride4": self.stride4}
        for name in ("stride8", "stride4"):
            nested = found[name]
            found[name] = None if nested is None else nested.movedim(-1, 0)
        found["fine"] = None if self.fine is None else self.fine[0]
        return {name: np.ascontiguousarray(maps.cpu().numpy()) for name, maps in found.items() if maps is not None}

    @classmethod
    def of_channels(cls, arrays: Mapping[str, FloatArray]) -> DecoderFeatures:
        """Raises `KeyError` where there are no cells."""
        cells = torch.from_numpy(arrays["cells"])
        stride8, stride4 = (
            torch.from_numpy(arrays[name]).movedim(0, -1).contiguous() if name in arrays else None
            for name in ("stride8", "stride4")
        )
        fine = torch.from_numpy(arrays["fine"])[None] if "fine" in arrays else None
        return cls((cells.shape[1], cells.shape[2]), cells.flatten(1).T.contiguous(), stride8, stride4, fine)

    @property
    def _maps(self) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        return self.cells, self.stride8, self.stride4, self.fine


class CachedDecoder:
    """Prompts and a tile's features to low-resolution logits."""

    def __init__(self, net: Any) -> None:
        """net: a SAM, SAM-HQ, SAM 2 or SAM 3 tracker of transformers, on its device."""
        self._decoder = net.mask_decoder
        self._prompts = net.prompt_encoder
        self._positions = _cells(net.get_image_wide_positional_embeddings())
        starts = [self._decoder.iou_token.weight, self._decoder.mask_tokens.weight]
        self._first_mask = 1
        if hasattr(self._decoder, "obj_score_token"):
            starts.insert(0, self._decoder.obj_score_token.weight)
            self._first_mask = 2
        if hasattr(self._decoder, "hq_token"):
            starts.append(self._decoder.hq_token.weight)
        self._starts = torch.cat(starts)
        self._upscale = [_as_product(conv) for conv in (self._decoder.upscale_conv1, self._decoder.upscale_conv2)]

    def prepare(self, embeddings: Tensor, finer: Sequence[Tensor] = (), early: Tensor | None = None) -> DecoderFeatures:
        """A tile of embeddings (1, c, rows, columns).

        finer: maps of stride 4 and of stride 8. early: SAM-HQ's first global layer, (1, rows, columns, channels).
        """
        shape = (embeddings.shape[-2], embeddings.shape[-1])
        stride4, stride8 = (_nested(finer[0], 2), _nested(finer[1], 1)) if finer else (None, None)
        fine = None if early is None else self._fine(embeddings, early)
        return DecoderFeatures(shape, _cells(embeddings), stride8, stride4, fine)

    def decode(self, features: DecoderFeatures, given: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (3, 4 rows, 4 columns) and predicted IoUs (3,). given: arguments of the library's prompt encoder."""
        if "input_points" not in given and "input_boxes" not in given:
            nowhere = torch.zeros(1, 1, 1, 2, device=features.cells.device)
            given = {**given, "input_points": nowhere, "input_labels": -torch.ones_like(nowhere[..., 0], dtype=torch.int64)}
        names = ("input_points", "input_labels", "input_boxes", "input_masks")
        sparse, dense = self._prompts(**{name: given.get(name) for name in names})
        tokens = torch.cat((self._starts, sparse[0, 0]))
        seen, cells = self._attend(tokens, features.cells + _cells(dense))
        at = self._first_mask
        scores = self._decoder.iou_prediction_head(seen[at - 1])[1:]
        return self._masks(features, cells, seen[at + 1 : at + 1 + CANDIDATES], seen[at + 1 + CANDIDATES]), scores

    def _attend(self, tokens: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """The two-way transformer: tokens (n, c) and cells (m, c) that have seen each other."""
        queries = tokens
        for layer in self._decoder.transformer.layers:
            if layer.skip_first_layer_pe:
                queries = _self_attended(layer.self_attn, queries, queries)
            else:
                queries = queries + _self_attended(layer.self_attn, queries + tokens, queries)
            queries = layer.layer_norm1(queries)
            placed = cells + self._positions
            queries = layer.layer_norm2(
                queries + _image_seen_by_tokens(layer.cross_attn_token_to_image, queries + tokens, placed, cells)
            )
            queries = layer.layer_norm3(queries + layer.mlp(queries))
            cells = cells + _tokens_seen_by_image(layer.cross_attn_image_to_token, placed, queries + tokens, queries)
            cells = layer.layer_norm4(cells)
        last = self._decoder.transformer.final_attn_token_to_image
        queries = queries + _image_seen_by_tokens(last, queries + tokens, cells + self._positions, cells)
        return self._decoder.transformer.layer_norm_final_attn(queries), cells

    def _masks(self, features: DecoderFeatures, cells: Tensor, tokens: Tensor, extra: Tensor) -> Tensor:
        """extra: the token behind the masks' tokens, SAM-HQ's own where there is one."""
        decoder = self._decoder
        up = self._doubled(cells, 0)
        up = F.gelu(_normed(decoder.upscale_layer_norm, up if features.stride8 is None else up + features.stride8))
        up = self._doubled(up, 1)
        up = F.gelu(up if features.stride4 is None else up + features.stride4)
        mixes = torch.stack([decoder.output_hypernetworks_mlps[k + 1](tokens[k]) for k in range(CANDIDATES)])
        masks = _flat(up @ mixes.T, features.shape)
        if features.fine is None:
            return masks
        # Channels last throughout: the norm over channels then moves nothing.
        first = decoder.mask_conv1(_flat(up, features.shape, channels_last=True)).permute(0, 2, 3, 1)
        fine = decoder.mask_conv2(F.gelu(_normed(decoder.mask_norm, first)).permute(0, 3, 1, 2))
        return masks + torch.einsum("c,chw->hw", decoder.hq_mask_mlp(extra), (fine + features.fine)[0])

    def _doubled(self, cells: Tensor, step: int) -> Tensor:
        weight, bias = self._upscale[step]
        return (cells @ weight).view(*cells.shape[:-1], 4, len(bias)) + bias

    def _fine(self, embeddings: Tensor, early: Tensor) -> Tensor:
        decoder = self._decoder
        encoded = decoder.encoder_conv2(F.gelu(decoder.encoder_norm(decoder.encoder_conv1(embeddings))))
        early = early.permute(0, 3, 1, 2).contiguous()
        compressed = decoder.compress_vit_conv2(F.gelu(decoder.compress_vit_norm(decoder.compress_vit_conv1(early))))
        return torch.add(compressed, encoded)


def _cells(maps: Tensor) -> Tensor:
    """(1, c, rows, columns) to (m, c)."""
    return maps[0].flatten(1).T.contiguous()


def _nested(maps: Tensor, doublings: int) -> Tensor:
    """(1, c, rows, columns) at twice the cells' resolution to (m, 4, c), at four times to (m, 4, 4, c)."""
    channels, rows, cols = maps.shape[1:]
    side = 2**doublings
    split = maps[0].view(channels, rows // side, *[2] * doublings, cols // side, *[2] * doublings)
    row, col = (1, 2 + doublings)
    pairs = [axis for step in range(1, doublings + 1) for axis in (row + step, col + step)]
    return split.permute(row, col, *pairs, 0).reshape(-1, *[4] * doublings, channels)


def _flat(nested: Tensor, shape: tuple[int, int], channels_last: bool = False) -> Tensor:
    """(m, 4, 4, k) to (k, 4 rows, 4 columns), or to (1, k, 4 rows, 4 columns) with the channels last in memory."""
    rows, cols = shape
    split = nested.view(rows, cols, 2, 2, 2, 2, -1)
    if channels_last:
        return split.permute(0, 2, 4, 1, 3, 5, 6).reshape(1, 4 * rows, 4 * cols, -1).permute(0, 3, 1, 2)
    return split.permute(6, 0, 2, 4, 1, 3, 5).reshape(-1, 4 * rows, 4 * cols)


def _as_product(conv: nn.ConvTranspose2d) -> tuple[Tensor, Tensor]:
    """Weight (in, 4 out) and bias (out,) of a transposed convolution whose steps do not overlap."""
    if conv.bias is None:
        raise TypeError("a transposed convolution without a bias is no part of these networks")
    return conv.weight.detach().permute(0, 2, 3, 1).flatten(1).contiguous(), conv.bias.detach()


def _normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """The library's norm over channels, which are last here."""
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _heads(projected: Tensor, attention: Any) -> Tensor:
    """(n, h d) to (h, n, d)."""
    return projected.view(len(projected), attention.num_attention_heads, -1).transpose(0, 1)


def _weight(projection: nn.Linear, attention: Any) -> Tensor:
    """(h, d, c)."""
    return projection.weight.view(attention.num_attention_heads, -1, projection.in_features)


def _out(attention: Any, told: Tensor) -> Tensor:
    return F.linear(told, _out_projection(attention).weight, _out_projection(attention).bias)


def _out_projection(attention: Any) -> Any:
    return attention.o_proj if hasattr(attention, "o_proj") else attention.out_proj


def _self_attended(attention: Any, queries: Tensor, values: Tensor) -> Tensor:
    q, k = _heads(attention.q_proj(queries), attention), _heads(attention.k_proj(queries), attention)
    seen = F.scaled_dot_product_attention(q, k, _heads(attention.v_proj(values), attention), scale=attention.scaling)
    return _out(attention, seen.transpose(0, 1).flatten(1))


def _image_seen_by_tokens(attention: Any, queries: Tensor, placed: Tensor, cells: Tensor) -> Tensor:
    """(n, c): what tokens (n, c) gather from cells (m, c); `placed` are the cells with their positions."""
    q = torch.bmm(_heads(attention.q_proj(queries), attention) * attention.scaling, _weight(attention.k_proj, attention))
    # The keys' bias adds the same to every cell, so the softmax does not see it.
    shares = (q.flatten(0, 1) @ placed.T).softmax(-1)
    seen = torch.bmm((shares @ cells).view_as(q), _weight(attention.v_proj, attention).transpose(1, 2))
    return _out(attention, seen.transpose(0, 1).flatten(1) + attention.v_proj.bias)


def _tokens_seen_by_image(attention: Any, placed: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """(m, c): what cells gather from tokens."""
    k = _heads(attention.k_proj(keys), attention) * attention.scaling
    asked = torch.bmm(k, _weight(attention.q_proj, attention))
    offset = torch.bmm(k, attention.q_proj.bias.view(len(k), -1, 1))
    shares = ((asked.flatten(0, 1) @ placed.T).view(*asked.shape[:2], -1) + offset).softmax(1)
    weight = _out_projection(attention).weight.view(placed.shape[1], attention.num_attention_heads, -1).permute(1, 2, 0)
    told = torch.bmm(_heads(attention.v_proj(values), attention), weight)
    return torch.addmm(_out_projection(attention).bias, shares.flatten(0, 1).T, told.flatten(0, 1))
