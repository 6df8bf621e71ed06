"""What crosses the pipe: JSON lines, one message a line, UTF-8.

Client to engine: `Request`, `Cancel`. Engine to client: `Ready`, `Progress`, `Item`, `Result`, `Failure`, `Cancelled` and
`Notice`. Geometry crosses as hexadecimal WKB in the raster's CRS; pixels never cross.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from .errors import ProtocolError
from .wire import Wire

PROTOCOL_VERSION = 2

PULSE_S = 2.0
"""While a request is unanswered the engine sends something at least so often, if only the same progress again."""

SILENT_S = 30.0
"""An engine that is asked something and says nothing for so long hangs: what keeps all its threads waiting takes less."""


@dataclass(frozen=True)
class Request(Wire):
    """Asks for `op`. Within one `channel` the highest `revision` wins: older ones are cancelled, queued or running."""

    id: int
    op: str
    params: Mapping[str, Any] = field(default_factory=dict)
    channel: str = ""
    revision: int = 0


@dataclass(frozen=True)
class Cancel(Wire):
    """Takes a request back."""

    id: int


@dataclass(frozen=True)
class Ready(Wire):
    """The first line of an engine: it answers from now on."""

    protocol: int
    version: str
    pid: int


@dataclass(frozen=True)
class Progress(Wire):
    """How far a request is: `fraction` in 0..1, `stage` one of `wait`, `read`, `encode`, `decode`, `vectorize`,
    `refine`, `download`.

    part: of an object larger than a tile what is found so far, as the answer would be.
    """

    id: int
    stage: str
    fraction: float
    part: Optional[Mapping[str, Any]] = None


@dataclass(frozen=True)
class Item(Wire):
    """One of many things that a request gives, as soon as it is there; the answer follows the last."""

    id: int
    value: Mapping[str, Any]


@dataclass(frozen=True)
class Result(Wire):
    """The answer to a request."""

    id: int
    value: Mapping[str, Any]


@dataclass(frozen=True)
class Failure(Wire):
    """A request ended in an error of `errors`: its class name, its parameters, its English text."""

    id: int
    code: str
    params: Mapping[str, Any]
    message: str


@dataclass(frozen=True)
class Notice(Wire):
    """An error of `errors` that stopped nothing, but that the user should know of."""

    code: str
    params: Mapping[str, Any]
    message: str


@dataclass(frozen=True)
class Cancelled(Wire):
    """A request ended because it was cancelled or a newer one of its channel came."""

    id: int


_ID = re.compile(rb'"id": ?(\d{1,15})\b')

Message = Union[Request, Cancel, Ready, Progress, Item, Result, Failure, Cancelled, Notice]

_TYPES: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Request, Cancel, Ready, Progress, Item, Result, Failure, Cancelled, Notice)
}


def encode(message: Message) -> bytes:
    """One line, its newline included; raises `ProtocolError` for values that JSON does not have."""
    body = {"type": type(message).__name__.lower(), **message.to_wire()}
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(reason=f"{error} in a {type(message).__name__}") from error


def decode(line: bytes) -> Message:
    """The message of one line; raises `ProtocolError` for anything else."""
    try:
        body = json.loads(line)
        kind = _TYPES[body.pop("type")]
        message: Message = kind.from_wire(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(reason=f"{error!r} in {line[:80]!r}") from error
    return message


def id_of(line: bytes) -> int | None:
    """Of the request that a line is about which is no message, where it says so."""
    found = _ID.search(line)
    return None if found is None else int(found[1])
