"""What crosses the pipe: JSON lines, one message a line, UTF-8.

Client to engine: `Request`, `Cancel`. Engine to client: `Ready`, `Progress`, `Item`, `Result`, `Failure`, `Cancelled` and
`Notice`. Geometry crosses as hexadecimal WKB in the raster's CRS; pixels never cross.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Union

from .errors import ProtocolError

PROTOCOL_VERSION = 2


@dataclass(frozen=True)
class Request:
    """Asks for `op`. Within one `channel` the highest `revision` wins: older ones are cancelled, queued or running."""

    id: int
    op: str
    params: dict[str, Any] = field(default_factory=dict)
    channel: str = ""
    revision: int = 0


@dataclass(frozen=True)
class Cancel:
    """Takes a request back."""

    id: int


@dataclass(frozen=True)
class Ready:
    """The first line of an engine: it answers from now on."""

    protocol: int
    version: str
    pid: int


@dataclass(frozen=True)
class Progress:
    """How far a request is: `fraction` in 0..1, `stage` one of `read`, `encode`, `decode`, `vectorize`, `refine`, `download`.

    part: of an object larger than a tile what is found so far, as the answer would be.
    """

    id: int
    stage: str
    fraction: float
    part: dict[str, Any] | None = None


@dataclass(frozen=True)
class Item:
    """One of many things that a request gives, as soon as it is there; the answer follows the last."""

    id: int
    value: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """The answer to a request."""

    id: int
    value: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A request ended in an error of `errors`: its class name, its parameters, its English text."""

    id: int
    code: str
    params: dict[str, Any]
    message: str


@dataclass(frozen=True)
class Notice:
    """An error of `errors` that stopped nothing, but that the user should know of."""

    code: str
    params: dict[str, Any]
    message: str


@dataclass(frozen=True)
class Cancelled:
    """A request ended because it was cancelled or a newer one of its channel came."""

    id: int


Message = Union[Request, Cancel, Ready, Progress, Item, Result, Failure, Cancelled, Notice]

_TYPES: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Request, Cancel, Ready, Progress, Item, Result, Failure, Cancelled, Notice)
}


def encode(message: Message) -> bytes:
    """One line, its newline included."""
    body = {"type": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line; raises `ProtocolError` for anything else."""
    try:
        body = json.loads(line)
        kind = _TYPES[body.pop("type")]
        message: Message = kind(**body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(reason=f"{error!r} in {line[:80]!r}") from error
    if not isinstance(getattr(message, "id", 0), int):
        raise ProtocolError(reason=f"an id that is no integer in {line[:80]!r}")
    return message
