"""Draws the log of a training run: `python -m rasterlasso.benchmarks.training_curves log.csv curves.png`."""

from __future__ import annotations

import sys

import matplotlib
import matplotlib.pyplot as plt
import pandas

matplotlib.use("Agg")

SMOOTHED_ROWS = 5


def main(log: str, picture: str) -> None:
    """Loss, and IoU after each simulated click, over steps; thick lines are running means."""
    rows = pandas.read_csv(log).set_index("step")
    figure, (loss, iou) = plt.subplots(1, 2, figsize=(9, 3.2))
    for axis, names in ((loss, ["loss"]), (iou, [name for name in rows if name.startswith("iou@")])):
        for name in names:
            [faint] = axis.plot(rows.index, rows[name], alpha=0.3)
            smooth = rows[name].rolling(SMOOTHED_ROWS, min_periods=1, center=True).mean()
            axis.plot(rows.index, smooth, color=faint.get_color(), label=name)
        axis.set_xlabel("step")
        axis.legend()
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
