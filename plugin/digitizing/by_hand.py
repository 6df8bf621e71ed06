"""The outline changed by hand: what a change of its vertices adds and removes, and outlines to which that is done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from qgis.core import Qgis, QgsGeometry, QgsLineString, QgsPointXY, QgsWkbTypes

from ...contract.edits import Edit
from ..errors import LineDoesNotReshape, OutlineWouldCross
from ..geo.wkb import from_hex, rings_of, to_hex

Change = Callable[[QgsGeometry], QgsGeometry]
"""From an outline to another one; may raise a `RasterLassoError`."""

NOTHING_SHARE = 1e-12
"""Of the polygon's area: less is the rounding of coordinates."""

ROUNDING = 1e-6
"""Share of a polygon's extent within which vertices on straight edges are leftovers of the overlays."""


def edit_by(change: Change, shape: QgsGeometry) -> Edit | None:
    """What a change does to a polygon or multipolygon; None where it does nothing.

    Raises what the change raises, and `OutlineWouldCross` where nothing valid is left.
    """
    after = change(QgsGeometry(shape))
    if after.isNull() or after.isEmpty() or after.area() <= 0 or not after.isGeosValid():
        raise OutlineWouldCross()
    least = NOTHING_SHARE * shape.area()
    added, removed = (_areas(each) for each in (after.difference(shape), shape.difference(after)))
    edit = Edit(*("" if each.area() <= least else to_hex(each) for each in (added, removed)))
    return None if edit == Edit() else edit


def edited(pieces: Sequence[QgsGeometry], edits: tuple[Edit, ...]) -> tuple[QgsGeometry, ...]:
    """Pieces with the edits done to them, in turn; what is added joins the nearest one."""
    return _edited(tuple(bytes(piece.asWkb()) for piece in pieces), edits) if edits else tuple(pieces)


def contradicts(edit: Edit, place: QgsPointXY, foreground: bool) -> bool:
    """Whether a later click says the opposite."""
    said = edit.removed if foreground else edit.added
    return bool(said) and from_hex(said).contains(place)


@lru_cache(maxsize=4)
def _edited(pieces_wkb: tuple[bytes, ...], edits: tuple[Edit, ...]) -> tuple[QgsGeometry, ...]:
    """Asked for several times for each change of the draft."""
    pieces = []
    for wkb in pieces_wkb:
        piece = QgsGeometry()
        piece.fromWkb(wkb)
        pieces.append(piece)
    for edit in edits:
        if edit.added and pieces:
            added = from_hex(edit.added)
            nearest = min(range(len(pieces)), key=lambda index: pieces[index].distance(added))
            pieces[nearest] = _areas(pieces[nearest].combine(added))
        if edit.removed:
            removed = from_hex(edit.removed)
            pieces = [_areas(piece.difference(removed)) for piece in pieces]
    return tuple(_tidy(piece) for piece in pieces if piece.area() > 0)


def _tidy(piece: QgsGeometry) -> QgsGeometry:
    box = piece.boundingBox()
    return piece.simplify(ROUNDING * max(box.width(), box.height()))


def _areas(shape: QgsGeometry) -> QgsGeometry:
    """The polygons of what an overlay gives."""
    if shape.type() == QgsWkbTypes.GeometryType.PolygonGeometry and QgsWkbTypes.geometryType(shape.wkbType()) == shape.type():
        return shape
    parts = [part for part in shape.asGeometryCollection() if part.type() == QgsWkbTypes.GeometryType.PolygonGeometry]
    return QgsGeometry.unaryUnion(parts) if parts else QgsGeometry()


def vertex_moved(number: int, to: QgsPointXY) -> Change:
    """A vertex somewhere else."""

    def change(shape: QgsGeometry) -> QgsGeometry:
        shape.moveVertex(to.x(), to.y(), number)
        return shape

    return change


def vertex_inserted(before: int, at: QgsPointXY) -> Change:
    """One more vertex, on the edge that ends in the vertex `before`."""

    def change(shape: QgsGeometry) -> QgsGeometry:
        shape.insertVertex(at.x(), at.y(), before)
        return shape

    return change


def vertex_deleted(number: int) -> Change:
    """A vertex less; what would be no ring any more is refused."""

    def change(shape: QgsGeometry) -> QgsGeometry:
        rings = len(rings_of(shape))
        shape.deleteVertex(number)
        return shape if len(rings_of(shape)) == rings else QgsGeometry()

    return change


def edge_moved(starts_in: int, ends_in: int, dx: float, dy: float) -> Change:
    """Both ends of an edge by as much."""

    def change(shape: QgsGeometry) -> QgsGeometry:
        for number in (starts_in, ends_in):
            vertex = shape.vertexAt(number)
            shape.moveVertex(vertex.x() + dx, vertex.y() + dy, number)
        return shape

    return change


def reshaped(line: Sequence[QgsPointXY]) -> Change:
    """As a line says that crosses the outline twice at least; raises `LineDoesNotReshape`."""

    def change(shape: QgsGeometry) -> QgsGeometry:
        path = QgsLineString([place.x() for place in line], [place.y() for place in line])
        before = QgsGeometry(shape)
        if shape.reshapeGeometry(path) != Qgis.GeometryOperationResult.Success or shape.equals(before):
            raise LineDoesNotReshape()
        return shape

    return change
