"""Trials of `clicks` as a table, as JSON, as curves and as a contact sheet."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from ..contract.errors import RunNotResumable
from ..contract.version import version
from ..models.base import Model
from .clicks import LEARNING, MAX_CLICKS, Trial, measures, replay, summary
from .intervals import interval
from .one_prompt import OnePrompt

matplotlib.use("Agg")

COLUMNS = ("objects", "NoC@80", "NoC@85", "NoC@90", "NoC@95", "IoU@1", "IoU@3", "IoU@5", "IoU@10", "bIoU@5", "ceiling",
           "failures", "jittered", "box", "wide", "near", "vertices",
           "first_s", "further_s", "encode_s", "decode_s")  # fmt: skip


def line(figures: dict[str, float]) -> str:
    """The most telling figures of a scene."""
    return "  ".join(f"{name} {figures[name]:.2f}" for name in ("NoC@85", "IoU@1", "IoU@3", "IoU@5"))


def groups(trials: Sequence[Trial]) -> dict[tuple[str, str], list[Trial]]:
    """Trials by (what they have in common, model): overall, each class, each scene."""
    found: dict[tuple[str, str], list[Trial]] = {}
    for name in ("overall", "class", "scene"):
        for trial in sorted(trials, key=lambda t: t.cls if name == "class" else t.scene if name == "scene" else ""):
            common = {"overall": "overall", "class": f"class {trial.cls}", "scene": trial.scene}[name]
            found.setdefault((common, trial.model), []).append(trial)
    return found


def table(trials: Sequence[Trial]) -> str:
    """A Markdown table, one row for each group and model."""
    rows = [["", "model", *COLUMNS], ["---"] * (len(COLUMNS) + 2)]
    for (common, model), own in groups(trials).items():
        figures = summary(own)
        rows.append([common, model, *(_cell(name, figures[name]) for name in COLUMNS)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def intervals_table(trials: Sequence[Trial]) -> str:
    """A Markdown table: each figure over all objects with its 95 % interval, one column for each model."""
    by_model = {model: own for (common, model), own in groups(trials).items() if common == "overall"}
    rows = [["95 % interval", *by_model], ["---"] * (len(by_model) + 1)]
    for name in measures(trials[0]):
        cells = []
        for own in by_model.values():
            low, high = interval([measures(trial)[name] for trial in own], [trial.scene for trial in own])
            cells.append(f"{_cell(name, low)} to {_cell(name, high)}")
        rows.append([name, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def learning_table(trials: Sequence[Trial]) -> str:
    """A Markdown table: clicks to IoU 0.85 for the first ten objects of each scene and for the ten after them."""
    rows = [["scene", "model", "NoC@85, first ten", "NoC@85, next ten"], ["---"] * 4]
    models = {trial.model.removesuffix(LEARNING) for trial in trials if trial.model.endswith(LEARNING)}
    for (common, model), own in groups(trials).items():
        if common == own[0].scene and len(own) >= 20 and model.removesuffix(LEARNING) in models:
            first, following = (float(np.mean([t.noc(0.85) for t in part])) for part in (own[:10], own[10:20]))
            rows.append([common, model, f"{first:.1f}", f"{following:.1f}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cell(name: str, value: float) -> str:
    if name == "objects":
        return str(int(value))
    return f"{value:.1f}" if name.startswith("NoC") else f"{value:.2f}" if not name.endswith("_s") else f"{value:.3f}"


def write_json(trials: Sequence[Trial], path: Path, limit: int | None) -> None:
    """All figures and trials, at most `limit` of a scene, and what they were measured on."""
    machine = {"system": platform.platform(), "processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    figures = [{"group": common, "model": model, **summary(own)} for (common, model), own in groups(trials).items()]
    document = {"version": version(), "machine": machine, "limit": limit, "figures": figures}
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps({**document, "trials": [asdict(t) for t in trials]}, indent=1) + "\n")
    partial.replace(path)


def read_json(path: Path | None, limit: int | None) -> list[Trial]:
    """Trials that an earlier run of this version wrote; none where there is no such file.

    Raises `RunNotResumable` where it took another number of objects or was made by another version.
    """
    if path is None:
        raise RunNotResumable(path="--resume", reason="without --json there is nothing to go on from")
    if not path.exists():
        return []
    try:
        document = json.loads(path.read_text())
        found = [_trial(trial) for trial in document["trials"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RunNotResumable(path=str(path), reason="it is no result of this benchmark") from error
    if document.get("version") != version() or document.get("limit") != limit:
        raise RunNotResumable(path=str(path), reason="it was made by another version, or with another --limit")
    return found


def _trial(document: dict[str, Any]) -> Trial:
    known = {name: _tuples(value) for name, value in document.items()}
    return Trial(**{**known, "one_prompt": OnePrompt(**known["one_prompt"])})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def draw_curves(trials: Sequence[Trial], path: Path) -> None:
    """Mean IoU over the number of clicks: overall and for each class."""
    names = [name for name in dict.fromkeys(common for common, _ in groups(trials)) if name == "overall" or "class " in name]
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3.4), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for (common, model), own in groups(trials).items():
            if common == name:
                counts = np.arange(1, MAX_CLICKS + 1)
                axis.plot(counts, [np.mean([t.iou_at(int(n)) for t in own]) for n in counts], label=model)
        axis.set_title(name.removeprefix("class "))
        axis.set_xlabel("clicks")
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("mean IoU")
    axes[0, -1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


SHEET_OBJECTS = 8


def draw_sheet(trials: Sequence[Trial], scenes: Path, model: Model, path: Path) -> None:
    """The objects that went best and worst after five clicks, label green, answer red, clicks as dots.

    Of a scene with many objects at most two stand in either half.
    """
    own = sorted((t for t in trials if t.model == model.name), key=lambda t: -t.iou_at(5))
    chosen = [*_varied(own), *reversed(_varied(own[::-1]))]
    columns = SHEET_OBJECTS // 2
    figure, axes = plt.subplots(4, columns, figsize=(3.2 * columns, 13.6), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, trial in zip(axes.flat, chosen, strict=False):
        seen = replay(trial, scenes / trial.scene, model, count=5)
        axis.imshow(seen.image)
        axis.contour(seen.truth, [0.5], colors="#40ff40", linewidths=1)
        if seen.answer.any():
            axis.contour(seen.answer, [0.5], colors="#ff3030", linewidths=1)
        for col, row, foreground in seen.clicks:
            axis.plot(col, row, "o", color="#40a0ff" if foreground else "#ffd000", markersize=4, markeredgecolor="black")
        axis.set_title(f"{trial.scene}\n{trial.cls} {trial.object}: IoU@5 {trial.iou_at(5):.2f}", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _varied(trials: Sequence[Trial]) -> list[Trial]:
    kept: list[Trial] = []
    for trial in trials:
        if len(kept) < SHEET_OBJECTS and sum(t.scene == trial.scene for t in kept) < 2:
            kept.append(trial)
    return kept
