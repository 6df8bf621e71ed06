"""Dataclasses to JSON values and back, by the types of their fields.

A field is a `str`, `bool`, `int`, finite `float`, a class with `to_wire` and `from_wire`, an `Optional` or a tuple of these, or
a mapping of JSON values. What is missing or null takes the field's default where it has one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Callable, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ProtocolError

Kind = TypeVar("Kind", bound="Wire")


class Wire:
    """Base of dataclasses that cross the pipe. A `__post_init__` that raises `ValueError` refuses values out of range."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def to_wire(self) -> dict[str, Any]:
        """JSON form."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_wire(cls: type[Kind], value: Any) -> Kind:
        """Inverse of `to_wire`; raises `ProtocolError` for any other value."""
        try:
            return cls(**_arguments(cls, value))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ProtocolError(reason=f"bad {cls.__name__}, {error!r}") from error


def finite(value: Any) -> float:
    """A number of the pipe; raises `ValueError` and `TypeError`."""
    if isinstance(value, bool):
        raise TypeError("a truth value where a number belongs")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number


def _arguments(kind: type[Wire], value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} where an object belongs")
    hints, found = _hints(kind), {}
    for each in fields(kind):
        given = value.get(each.name)
        has_default = each.default is not MISSING or each.default_factory is not MISSING
        if given is None and has_default:
            continue
        if given is None and not _is_optional(hints[each.name]):
            raise KeyError(each.name)
        found[each.name] = _made(hints[each.name], given)
    return found


def _hints(kind: Any) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    return _HINTS[kind]


_HINTS: dict[Any, dict[str, Any]] = {}
"""Types of the fields of each class: to work them out takes longer than all else."""


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) is Union and type(None) in get_args(kind)


def _made(kind: Any, value: Any) -> Any:
    """A value of a field of some type."""
    if _is_optional(kind):
        [inner] = [each for each in get_args(kind) if each is not type(None)]
        return None if value is None else _made(inner, value)
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value)
    if hasattr(kind, "from_wire"):
        return kind.from_wire(value)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} where an object belongs")


def _tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(f"{type(value).__name__} where a list belongs")
    items = list(value)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_made(kinds[0], item) for item in items)
    if len(items) != len(kinds):
        raise ValueError(f"{len(items)} values where {len(kinds)} belong")
    return tuple(_made(kind, item) for kind, item in zip(kinds, items))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a text belongs")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} where a truth value belongs")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} where a whole number belongs")
    return value


_PLAIN: dict[Any, Callable[[Any], Any]] = {str: _text, bool: _truth, int: _whole, float: finite}


def _plain(value: Any) -> Any:
    if hasattr(value, "to_wire"):
        return value.to_wire()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value
