"""The models that the user has added: one folder each, shared by all profiles and versions, each with its hashes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ...contract.model_errors import (
    DownloadFailed,
    DownloadRefused,
    ModelFileUnusable,
    ModelFolderUnwritable,
    ModelInUse,
    ModelNameTaken,
    ModelUnknown,
)
from . import families
from .download import WAIT_S, Progress, fetch
from .published import Published

RECORD = "rasterlasso.json"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FILES = (CONFIG, WEIGHTS)
CHUNK_BYTES = 1 << 20
WORKPLACE = ".adding-"
STALE_S = 3600.0
"""So old a workplace is nobody's any more."""


@dataclass(frozen=True)
class Installed:
    """An added model. kind: its family's `model_type`. parameters: how many numbers its weights have."""

    name: str
    kind: str
    parameters: int
    sha256: dict[str, str]
    """Of each file."""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return models_folder() / self.name


def models_folder() -> Path:
    """`RASTERLASSO_MODELS`, else a folder of the user's application data."""
    if chosen := os.environ.get("RASTERLASSO_MODELS"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "rasterlasso" / "models"


def installed() -> Iterator[Installed]:
    """All added models by name; a folder without a readable record is none."""
    for record in sorted(models_folder().glob(f"*/{RECORD}")):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            yield _recorded(record)


def _recorded(record: Path) -> Installed:
    """Raises `OSError`, `ValueError`, `TypeError`, `KeyError` and `RecursionError` where it is none of ours."""
    told = json.loads(record.read_text(encoding="utf-8"))
    kind, parameters, sha256 = told["kind"], told["parameters"], told["sha256"]
    is_ours = isinstance(kind, str) and isinstance(parameters, int) and isinstance(sha256, dict) and WEIGHTS in sha256
    if not is_ours or not all(isinstance(each, str) for each in (*sha256, *sha256.values())):
        raise ValueError(f"{record} is none of ours")
    return Installed(record.parent.name, kind, parameters, sha256)


def find(name: str) -> Installed:
    """An added model; raises `ModelUnknown`."""
    for each in installed():
        if each.name == name:
            return each
    raise ModelUnknown(name=name, known=", ".join(each.name for each in installed()) or "none is added")


def add(source: Path, name: str | None = None) -> Installed:
    """Copy a model among ours, whole or not at all; raises `ModelFileUnusable`, `ModelNameTaken`, `ModelLibraryMissing`,
    `ModelExtraMissing`.

    source: a folder with `config.json` and `model.safetensors`, or an author's own checkpoint of SAM, SAM-HQ, SAM 2, MobileSAM
    or FastSAM (.pt, .pth). name: by default that of the folder or file.
    """
    name = name or _name_of(source)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ModelFileUnusable(path=str(source), reason=f"{name!r} is no name: use letters, digits, dots and dashes")
    if (models_folder() / name).exists() or name == "builtin":
        raise ModelNameTaken(name=name)
    if not source.is_file():
        return _install(source, name)
    from . import original

    if source.suffix not in original.SUFFIXES:
        raise ModelFileUnusable(path=str(source), reason=f"files of models end with {', '.join(original.SUFFIXES)}")
    with _workplace() as folder:
        try:
            original.convert(source, folder)
        except ModuleNotFoundError as error:
            raise families.missing_library(name, error) from error
        except OSError as error:
            raise ModelFolderUnwritable(path=str(models_folder()), reason=error.strerror or str(error)) from error
        return _install(folder, name)


def get(published: Published, progress: Progress, confirm: Callable[[str], bool], wait_s: float = WAIT_S) -> Installed:
    """Download published weights and add them; what was fetched before a break of the connection is used again.

    confirm: asked with the SHA-256 of weights whose hash we do not know. Raises `DownloadFailed`, `DownloadRefused`,
    `ModelFileUnusable`, `ModelNameTaken`, and what `progress` raises.
    """
    found = fetch_published(published, progress, wait_s)
    if published.sha256 is None and not confirm(found):
        discard_fetched(published)
        raise DownloadRefused(name=published.name, reason="its hash was not confirmed")
    return install_fetched(published)


def fetch_published(published: Published, progress: Progress, wait_s: float = WAIT_S) -> str:
    """Download, for `install_fetched` or `discard_fetched`; returns the SHA-256 of the weights. Raises as `get`."""
    if (models_folder() / published.name).exists():
        raise ModelNameTaken(name=published.name)
    folder = _fetched(published)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for file in FILES:
            if not (folder / file).exists():
                fetch(published.url(file), folder / file, progress, wait_s)
    except DownloadFailed:
        if not any(folder.iterdir()):
            folder.rmdir()
        raise
    found = _sha256(folder / WEIGHTS)
    if published.sha256 not in (None, found):
        discard_fetched(published)
        raise DownloadRefused(name=published.name, reason=f"its SHA-256 is {found}, not {published.sha256}")
    return found


def install_fetched(published: Published) -> Installed:
    """Add what was downloaded whole.

    Raises `ModelFileUnusable` where it is no model, and then keeps nothing, and `ModelExtraMissing`.
    """
    try:
        return _install(_fetched(published), published.name)
    except ModelFileUnusable:
        discard_fetched(published)
        raise


def discard_fetched(published: Published) -> None:
    """Delete what was downloaded."""
    shutil.rmtree(_fetched(published), ignore_errors=True)


def _fetched(published: Published) -> Path:
    return models_folder() / f".fetching-{published.name}"


def _name_of(source: Path) -> str:
    """A name that the rules allow, after a folder or a file."""
    plain = source.stem if source.is_file() else source.resolve().name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")


@contextmanager
def _workplace() -> Iterator[Path]:
    """An empty folder beside the models; those that a killed process left are swept away."""
    models_folder().mkdir(parents=True, exist_ok=True)
    for left in models_folder().glob(f"{WORKPLACE}*"):
        if time.time() - left.stat().st_mtime > STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=models_folder(), prefix=WORKPLACE, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _install(source: Path, name: str) -> Installed:
    """Move a folder of ours, copy another; whole or not at all."""
    kind, _ = families.read_family(source)
    families.require_library(name, kind)
    parameters = _count_parameters(source / WEIGHTS)
    try:
        with _workplace() as temporary:
            whole = temporary / "model"
            whole.mkdir()
            ready = source if source.parent == models_folder() else whole
            for file in FILES:
                if ready is whole:
                    shutil.copyfile(source / file, whole / file)
            made = Installed(name, kind, parameters, {file: _sha256(ready / file) for file in FILES})
            record = {key: value for key, value in asdict(made).items() if key != "name"}
            (ready / RECORD).write_text(json.dumps(record, indent=2) + "\n")
            ready.rename(made.folder)
    except OSError as error:
        raise ModelFolderUnwritable(path=str(models_folder()), reason=error.strerror or str(error)) from error
    return made


def verify(name: str) -> None:
    """Compare an added model's files with the hashes noted when it was added; raises `ModelUnknown`, `ModelFileUnusable`."""
    model = find(name)
    for file, expected in model.sha256.items():
        path = model.folder / file
        if not path.exists() or _sha256(path) != expected:
            raise ModelFileUnusable(
                path=str(path), reason="it has changed since it was added; remove the model and add it again"
            )


def remove(name: str) -> None:
    """Delete an added model, whole or not at all; raises `ModelUnknown`, `ModelInUse`."""
    folder = find(name).folder
    leaving = folder.with_name(f"{WORKPLACE}{uuid.uuid4().hex}")
    try:
        folder.rename(leaving)
    except OSError as error:
        raise ModelInUse(path=str(folder), reason=error.strerror or str(error)) from error
    shutil.rmtree(leaving, ignore_errors=True)  # what is left is swept away later


def _count_parameters(file: Path) -> int:
    """From the header alone, which also tells a cut-off file."""
    try:
        with safe_open(file, framework="numpy") as weights:
            total = 0
            for key in weights.keys():  # noqa: SIM118 - no mapping
                count = 1
                for length in weights.get_slice(key).get_shape():
                    count *= length
                total += count
            return total
    except (OSError, SafetensorError) as error:
        raise ModelFileUnusable(path=str(file), reason=str(error)) from error


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
