"""An encoded tile as bytes: features in 8 bits, with a scale for each channel.

Layout: one byte that is never 0, CRC-32 of all that follows (4 bytes, little-endian), length of the header (4 bytes), a JSON
header with the shapes, valid pixels as bits, and of each feature lows, steps and values.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.base import FloatArray, Mask

MARK = 0xA5
"""The first byte of every tile: zarr reads a missing chunk as zeros."""

HEADER_AT = 9

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class StoredTile:
    """Features by name, each (channels, ...) float32, and the (rows, columns) valid pixels."""

    features: Mapping[str, FloatArray]
    valid: Mask


def pack(stored: StoredTile) -> Bytes:
    """(n,) bytes; what they give again is off by half a step of 255 between the extremes of a channel."""
    pieces = [np.packbits(stored.valid)]
    shapes = {}
    for name, values in stored.features.items():
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        low, high = flat.min(axis=1), flat.max(axis=1)
        step = np.maximum(high - low, np.finfo(np.float32).tiny) / 255
        scales = np.stack((low, step)).astype("<f4")
        quantized = np.rint((flat - low[:, None]) / step[:, None]).astype(np.uint8)
        pieces += [np.frombuffer(scales.tobytes(), np.uint8), quantized.reshape(-1)]
        shapes[name] = list(values.shape)
    header = json.dumps({"valid": list(stored.valid.shape), "features": shapes}).encode()
    body = np.concatenate([_number(len(header)), np.frombuffer(header, np.uint8), *pieces])
    return np.concatenate([np.array([MARK], np.uint8), _number(zlib.crc32(body.tobytes())), body])


def unpack(data: Bytes) -> StoredTile:
    """Inverse of `pack`; raises `ValueError` where the bytes are not what was packed."""
    if data.dtype != np.uint8 or data.ndim != 1 or len(data) < HEADER_AT or data[0] != MARK:
        raise ValueError("not written whole")
    data = np.ascontiguousarray(data)
    if zlib.crc32(data[5:].tobytes()) != _read(data[1:5]):
        raise ValueError("damaged: its checksum is another")
    start = HEADER_AT + _read(data[5:HEADER_AT])
    header = json.loads(data[HEADER_AT:start].tobytes())
    return _read_tile(data, start, header)


def _read_tile(data: Bytes, start: int, header: Any) -> StoredTile:
    rows, cols = header["valid"]
    end = start + -(-rows * cols // 8)
    valid = np.unpackbits(data[start:end], count=rows * cols).reshape(rows, cols).astype(np.bool_)
    features = {}
    for name, shape in header["features"].items():
        start, channels, size = end, shape[0], math.prod(shape)
        low, step = np.frombuffer(data[start : start + 8 * channels].tobytes(), "<f4").reshape(2, channels, 1)
        start += 8 * channels
        end = start + size
        values = data[start:end].reshape(channels, math.prod(shape[1:])) * step + low
        features[name] = values.astype(np.float32, copy=False).reshape(shape)
    return StoredTile(features, valid)


def _number(value: int) -> Bytes:
    return np.array([value], "<u4").view(np.uint8)


def _read(four_bytes: Bytes) -> int:
    return int.from_bytes(four_bytes.tobytes(), "little")
