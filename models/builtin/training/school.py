"""The run that never closes: where it is kept, how it goes on, what it writes down.

FOLDER/scenes       prepared scenes
FOLDER/shards       samples rendered ahead
FOLDER/state.pt     network, averages, optimiser, step: written every ten minutes and when the run is stopped
FOLDER/taughtN.json what the weights found in unlabelled parts before cycle N
FOLDER/snapshots    averaged weights at each validation, the last ones
FOLDER/log.csv, validation.csv, run.json
"""

from __future__ import annotations

import csv
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from ..model import WEIGHTS
from . import reading, scenes
from .packing import pack
from .shards import LOWEST_PRIORITY, Recipe, Shards
from .teacher import teach_regions
from .trainer import Batch, Figures, Settings, Trainer, cycle_of, learning_rate
from .validation import IMAGES_OF_FAMILY, Validation, split

log = logging.getLogger(__name__)

SAVE_EVERY_S = 600
LOG_EVERY = 20
VALIDATE_EVERY = 500
KEPT_SNAPSHOTS = 8


def default_folder() -> Path:
    """`RASTERLASSO_TRAINING`, or below the user's cache."""
    chosen = os.environ.get("RASTERLASSO_TRAINING")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else cache / "rasterlasso" / "training"


@dataclass(frozen=True)
class Options:
    """How a run is carried out; its results do not depend on it, but for how many steps there are.

    data: folders of labelled scenes. disk_bytes: the most that samples rendered ahead may take. steps: where to stop, or None.
    """

    data: tuple[Path, ...]
    folder: Path
    threads: int = 2
    disk_bytes: int = 500_000_000
    steps: int | None = None
    validate_every: int = VALIDATE_EVERY
    validation_images: int = IMAGES_OF_FAMILY


class School:
    """A run that is begun from the shipped weights, or goes on from its last state."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self._options = options
        self._stopping = False
        folder = options.folder
        folder.mkdir(parents=True, exist_ok=True)
        prepared = reading.prepare(reading.usable_folders(options.data), folder / "scenes")
        self._prepared, self._held_apart = split(prepared)
        self._validation: Validation | None = None
        self.trainer = Trainer(settings, WEIGHTS)
        if (folder / "state.pt").exists():
            self.trainer.resume(folder / "state.pt")
        record = {
            "settings": asdict(settings),
            "data_sha256": scenes.digest_of(prepared),
            "scenes": len(self._prepared),
            "torch": torch.__version__,
        }
        (folder / "run.json").write_text(json.dumps(record, indent=2) + "\n")

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End after the step in hand."""
        self._stopping = True

    def run(self) -> None:
        """Train until stopped, or up to the step that the options name."""
        options, trainer = self._options, self.trainer
        log.info("step %d, %d scenes, state in %s", trainer.step, len(self._prepared), options.folder)
        cycle, shards = self._begin_cycle(None)
        saved, started, seen = time.monotonic(), time.monotonic(), list[Figures]()
        try:
            while not self._stopping and (options.steps is None or trainer.step < options.steps):
                if cycle_of(trainer.step, trainer.settings)[0] != cycle:
                    cycle, shards = self._begin_cycle(shards)
                    continue
                images = trainer.settings.images
                samples = shards.samples(trainer.step * images, images)
                seen.append(trainer.update(Batch.of_step(samples, trainer.step, trainer.settings)))
                if trainer.step % LOG_EVERY == 0:
                    self._log(seen, time.monotonic() - started)
                    started, seen = time.monotonic(), []
                if trainer.step % options.validate_every == 0:
                    self._validate()
                if time.monotonic() - saved > SAVE_EVERY_S:
                    trainer.save(options.folder / "state.pt")
                    saved = time.monotonic()
        finally:
            shards.close()
        trainer.save(options.folder / "state.pt")
        log.info("stopped at step %d; the same command goes on from there", trainer.step)

    def _begin_cycle(self, former: Shards | None) -> tuple[int, Shards]:
        """Number of the cycle, and its samples: from the second on a teacher finds objects in unlabelled parts first."""
        if former is not None:
            former.close()
        cycle, _, _ = cycle_of(self.trainer.step, self.trainer.settings)
        found = self._options.folder / f"taught{cycle}.json" if cycle else None
        if found is not None and not found.exists():
            count = teach_regions(self.trainer.averaged(), self._prepared, found, lambda: self._stopping)
            log.info("the teacher found %d objects in unlabelled parts of the scenes", count)
        recipe = Recipe(tuple(self._prepared), self.trainer.settings.objects, self.trainer.settings.seed, found)
        return cycle, Shards(recipe, self._options.folder / "shards", self._options.disk_bytes)

    def _log(self, seen: Sequence[Figures], seconds: float) -> None:
        settings = self.trainer.settings
        ious = np.mean([figures.ious for figures in seen], axis=0)
        row = {
            "step": self.trainer.step,
            "samples": self.trainer.step * settings.images * settings.objects,
            "seconds_per_step": seconds / len(seen),
            "rate": learning_rate(self.trainer.step, settings),
            "loss": float(np.mean([figures.loss for figures in seen])),
            "norm": float(np.median([figures.norm for figures in seen])),
            **{f"iou@{turn}": float(value) for turn, value in enumerate(ious, 1)},
        }
        _append(self._options.folder / "log.csv", row)
        log.info("  ".join(f"{name} {value:.4g}" for name, value in row.items()))

    def _validate(self) -> None:
        """Write the figures of the averaged weights and keep these; and the state, so that both tell of the same step."""
        folder, step = self._options.folder, self.trainer.step
        if self._validation is None:
            self._validation = Validation(self._held_apart, self._options.validation_images)
        weights = self.trainer.averaged()
        report = self._validation.report(weights)
        _append(folder / "validation.csv", {"step": step, **report.row()})
        log.info(
            "validation at %d: iou@1 %.3f  iou@3 %.3f  iou@5 %.3f",
            step,
            report.iou_at_1["all"],
            report.iou_at_3["all"],
            report.iou_at_5["all"],
        )
        snapshots = folder / "snapshots"
        snapshots.mkdir(exist_ok=True)
        partial = snapshots / "partial"
        save_file(weights, partial, {"step": str(step)})
        partial.replace(snapshots / f"step-{step:07d}.safetensors")
        for old in sorted(snapshots.glob("step-*.safetensors"))[:-KEPT_SNAPSHOTS]:
            old.unlink()
        self.trainer.save(folder / "state.pt")


def teach(settings: Settings, options: Options) -> None:
    """Run at the lowest priority until a signal says to stop."""
    os.nice(LOWEST_PRIORITY)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    school = School(settings, options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, school.stop)
    school.run()


def status(folder: Path) -> str:
    """Steps, samples, hours and validation so far, in words; where nothing was trained, that."""
    rows = _rows(folder / "log.csv")
    if not rows:
        return f"Nothing was trained in {folder} yet."
    hours = sum(float(row["seconds_per_step"]) * LOG_EVERY for row in rows) / 3600
    last = rows[-1]
    pace = float(last["seconds_per_step"])
    lines = [f"{last['step']} steps, {last['samples']} objects seen, {hours:.1f} hours, {pace:.1f} s a step now; in {folder}"]
    for row in _rows(folder / "validation.csv"):
        lines.append(
            f"step {row['step']}: " + "  ".join(f"{name} {float(row[name]):.3f}" for name in row if name.endswith(" all"))
        )
    return "\n".join(lines)


def pack_run(folder: Path, out: Path) -> str:
    """Put prepared scenes and the newest averaged weights into a folder, to train elsewhere; what was packed, in words.

    What comes back belongs into FOLDER/snapshots, where graduation takes it into account.
    """
    out.mkdir(parents=True, exist_ok=True)
    size = pack(sorted((folder / "scenes").iterdir()), out / "scenes.zip")
    start = [WEIGHTS, *sorted((folder / "snapshots").glob("step-*.safetensors"))][-1]
    shutil.copyfile(start, out / "start.safetensors")
    return f"{size / 2**20:.0f} MiB of scenes and {start.name} are in {out}"


def _append(file: Path, row: dict[str, float]) -> None:
    fresh = not file.exists()
    with file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({name: round(value, 5) for name, value in row.items()})


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))
