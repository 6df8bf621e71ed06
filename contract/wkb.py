"""Well-known binary looked through before a library reads it: what nests without end overflows the stack of GEOS."""

from __future__ import annotations

import struct

MOST_NESTED = 8
"""Collections within one another."""

Z_FLAG, M_FLAG, SRID_FLAG = 0x80000000, 0x40000000, 0x20000000
POINT, LINE, POLYGON, COLLECTIONS = 1, 2, 3, (4, 5, 6, 7)


def checked_wkb(wkb_hex: object) -> bytes:
    """The bytes of hexadecimal WKB (OGC 06-103r4, or PostGIS's form with an SRID) of points, lines, polygons and collections.

    Raises `ValueError` where it is anything else, is cut short, or nests too deep.
    """
    if not isinstance(wkb_hex, str):
        raise ValueError(f"{type(wkb_hex).__name__} where hexadecimal WKB belongs")
    wkb = bytes.fromhex(wkb_hex)
    try:
        end = _geometry_end(wkb, 0, 0)
    except (struct.error, IndexError) as error:
        raise ValueError("WKB that ends too early") from error
    if end != len(wkb):
        raise ValueError(f"WKB with {len(wkb) - end} bytes too many")
    return wkb


def _geometry_end(wkb: bytes, start: int, nested: int) -> int:
    """Offset of the end of the geometry that begins at an offset."""
    if nested > MOST_NESTED:
        raise ValueError("WKB that nests too deep")
    order = {0: ">", 1: "<"}.get(wkb[start])
    if order is None:
        raise ValueError("WKB of an unknown byte order")
    [code] = struct.unpack_from(f"{order}I", wkb, start + 1)
    at = start + (9 if code & SRID_FLAG else 5)
    thousands, kind = divmod(code & ~(Z_FLAG | M_FLAG | SRID_FLAG), 1000)
    if thousands > 3:
        raise ValueError(f"WKB of an unknown type, {code}")
    flagged = bool(code & Z_FLAG) + bool(code & M_FLAG)
    size = 8 * (2 + max(flagged, {0: 0, 3: 2}.get(thousands, 1)))
    if kind == POINT:
        return _within(wkb, at + size)
    [count] = struct.unpack_from(f"{order}I", wkb, at)
    at += 4
    if kind == LINE:
        return _within(wkb, at + count * size)
    if kind != POLYGON and kind not in COLLECTIONS:
        raise ValueError(f"WKB of an unknown type, {code}")
    for _ in range(count):
        if kind == POLYGON:
            [points] = struct.unpack_from(f"{order}I", wkb, at)
            at = _within(wkb, at + 4 + points * size)
        else:
            at = _geometry_end(wkb, at, nested + 1)
    return at


def _within(wkb: bytes, end: int) -> int:
    if end > len(wkb):
        raise ValueError("WKB that ends too early")
    return end
