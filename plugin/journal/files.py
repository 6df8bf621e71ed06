"""The files of a journal: one set for each running QGIS, locked while it runs.

FOLDER/ID.lock           held by the QGIS that writes the others
FOLDER/ID.draft.json     the object under way, written anew at each step
FOLDER/ID.accepted.jsonl a line for each change of an accepted object: {"key": n, "entry": …}, with none once it is saved
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from qgis.PyQt.QtCore import QLockFile

from ...contract.errors import ProtocolError
from .entries import AcceptedEntry, DraftEntry


class SessionFiles:
    """What this QGIS writes; nothing is there while there is nothing to lose. Its methods raise `OSError`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._names = _Names(folder, uuid4().hex)
        self._lock = _lock(self._names.lock)
        if not self._lock.tryLock(0):
            raise OSError(f"{self._names.lock} can't be locked")
        self._open: set[int] = set()
        self._next_key = 0

    def write_draft(self, entry: DraftEntry | None) -> None:
        """The object under way, None where there is none."""
        if entry is None:
            self._names.draft.unlink(missing_ok=True)
            return
        partial = self._names.partial
        partial.write_text(json.dumps(entry.to_wire()), encoding="utf-8")
        partial.replace(self._names.draft)

    def add(self, entry: AcceptedEntry) -> int:
        """An accepted object; its key."""
        self._next_key += 1
        self.change(self._next_key, entry)
        return self._next_key

    def change(self, key: int, entry: AcceptedEntry | None) -> None:
        """As an accepted object is now, None once it is saved or gone."""
        if entry is None:
            self._open.discard(key)
        else:
            self._open.add(key)
        if not self._open:
            self._names.accepted.unlink(missing_ok=True)
            return
        line = {"key": key} if entry is None else {"key": key, "entry": entry.to_wire()}
        with self._names.accepted.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Nothing can be lost any more."""
        self._names.remove()
        self._lock.unlock()


class LeftBehind:
    """What a QGIS left behind that ended badly. Nobody else takes it up meanwhile."""

    def __init__(self, names: _Names, lock: QLockFile) -> None:
        self._names = names
        self._lock = lock
        self.draft = _draft_of(names.draft)
        self.accepted = _accepted_of(names.accepted)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to give back."""
        return self.draft is None and not self.accepted

    def keep_accepted(self, entries: Sequence[AcceptedEntry]) -> None:
        """The others are in their layers again. Raises `OSError`."""
        self.accepted = list(entries)
        if entries:
            lines = [json.dumps({"key": number, "entry": entry.to_wire()}) for number, entry in enumerate(entries)]
            self._names.accepted.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            self._names.accepted.unlink(missing_ok=True)

    def forget(self) -> None:
        """Delete it."""
        self._names.remove()
        self._lock.unlock()

    def leave(self) -> None:
        """Keep it for the next start."""
        self._lock.unlock()


def left_behind(folder: Path) -> Iterator[LeftBehind]:
    """Of every QGIS that does not run any more, the oldest first. What is empty is deleted."""
    ids = {path.name.split(".")[0]: None for path in sorted(folder.iterdir(), key=_changed)} if folder.is_dir() else {}
    for each in ids:
        names = _Names(folder, each)
        lock = _lock(names.lock)
        if lock.tryLock(0):
            found = LeftBehind(names, lock)
            if found.is_empty:
                found.forget()
            else:
                yield found


@dataclass(frozen=True)
class _Names:
    folder: Path
    id: str

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.id}.lock"

    @property
    def draft(self) -> Path:
        return self.folder / f"{self.id}.draft.json"

    @property
    def partial(self) -> Path:
        return self.folder / f"{self.id}.draft.part"

    @property
    def accepted(self) -> Path:
        return self.folder / f"{self.id}.accepted.jsonl"

    def remove(self) -> None:
        """What is written; the lock goes when it is let go."""
        for path in (self.draft, self.partial, self.accepted):
            path.unlink(missing_ok=True)


def _lock(path: Path) -> QLockFile:
    lock = QLockFile(str(path))
    lock.setStaleLockTime(0)  # only the end of its process frees it, however long that runs
    return lock


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _draft_of(path: Path) -> DraftEntry | None:
    with suppress(OSError, ValueError, ProtocolError, RecursionError):
        entry = DraftEntry.from_wire(json.loads(path.read_text(encoding="utf-8")))
        return None if entry.draft.is_empty else entry
    return None


def _accepted_of(path: Path) -> list[AcceptedEntry]:
    """What is not saved; a line that was cut off in the middle is left out."""
    found: dict[int, AcceptedEntry] = {}
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, ProtocolError, RecursionError):
                _take(json.loads(line), found)
    return list(found.values())


def _take(line: Any, found: dict[int, AcceptedEntry]) -> None:
    if not isinstance(line, Mapping) or not isinstance(line.get("key"), int):
        raise ProtocolError(reason="no line of a journal")
    if line.get("entry") is None:
        found.pop(line["key"], None)
    else:
        entry = AcceptedEntry.from_wire(line["entry"])
        if entry.shape.isNull():
            raise ProtocolError(reason="an object without a shape")
        found[line["key"]] = entry
