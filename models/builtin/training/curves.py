"""Draws what a run wrote down: loss and IoU of its steps, and IoU on the sources held apart."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pandas

matplotlib.use("Agg")

SMOOTHED_ROWS = 15


def draw_curves(folder: Path, out: Path) -> None:
    """A picture of loss, IoU after each simulated click, and validation, over steps; thick lines are running means."""
    steps = pandas.read_csv(folder / "log.csv").set_index("step")
    figure, (loss, iou, validation) = plt.subplots(1, 3, figsize=(13, 3.4))
    for axis, names in ((loss, ["loss"]), (iou, [name for name in steps if name.startswith("iou@")])):
        for name in names:
            [faint] = axis.plot(steps.index, steps[name], alpha=0.25)
            smooth = steps[name].rolling(SMOOTHED_ROWS, min_periods=1, center=True).mean()
            axis.plot(steps.index, smooth, color=faint.get_color(), label=name)
    if (folder / "validation.csv").exists():
        rows = pandas.read_csv(folder / "validation.csv").set_index("step")
        for name in (each for each in rows if each.endswith(" all")):
            validation.plot(rows.index, rows[name], marker=".", label=name.removesuffix(" all"))
    for axis, title in ((loss, "training"), (iou, "training"), (validation, "sources held apart")):
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    figure.tight_layout()
    figure.savefig(out, dpi=90)
    plt.close(figure)
