"""Lets trained weights of the built-in model take the shipped ones' place, if they are better: `make graduate`.

Averages of the last snapshots are compared on the sources that training holds apart. The best one digitizes the labelled scenes
with simulated clicks beside the shipped weights; where it is worse in anything, a mixture with the shipped weights does (robust
fine-tuning: Wortsman and others, 2022), with less of it each time. Differences are paired by object, and their interval comes
from a bootstrap over scenes (Efron and Tibshirani, 1993), since objects of one scene are alike.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..models.builtin.model import WEIGHTS, BuiltinModel
from ..models.builtin.training.school import default_folder
from ..models.builtin.training.validation import Validation, split
from .clicks import Trial, is_visible, run_trial, summary
from .intervals import interval
from .plain_shapes import worst_iou
from .scenes import read_scene

CLICKS = (1, 3, 5)
LEAST_GAIN = 0.01
"""In the mean of IoU after one, three and five clicks: less is not worth a new file of several megabytes in the repository."""

MOST_LOSS = 0.01
"""Of any class, in the mean of IoU after one, three and five clicks: as much as chance makes of a few objects."""

MOST_BOX_LOSS = 0.003
"""In the mean IoU of boxes around the same objects."""

LEAST_PLAIN = 0.95
"""IoU of one click in each plain shape: what training shows in crops it may lose in whole tiles."""

LEAST_OBJECTS = 3
"""Of a class that may forbid graduation; classes with fewer are shown."""

SHARES = (1.0, 0.5, 0.4)
"""Of the new weights; of less than that little would come."""

CARD = Path(WEIGHTS).with_name("MODEL_CARD.md")
BEGIN, END = "<!-- graduation -->", "<!-- end of graduation -->"


@dataclass(frozen=True)
class Pair:
    """One object digitized with the shipped and with the new weights."""

    shipped: Trial
    new: Trial

    def gain(self, clicks: int) -> float:
        """In IoU after so many clicks."""
        return self.new.iou_at(clicks) - self.shipped.iou_at(clicks)

    @property
    def mean_gain(self) -> float:
        """In IoU, over one, three and five clicks."""
        return float(np.mean([self.gain(clicks) for clicks in CLICKS]))

    @property
    def first_gain(self) -> float:
        """In IoU of a first click: people click in the middle as well as beside it."""
        return (self.gain(1) + self.new.one_prompt.jittered - self.shipped.one_prompt.jittered) / 2

    @property
    def box_gain(self) -> float:
        """In IoU of a box alone."""
        return self.new.one_prompt.box - self.shipped.one_prompt.box


@dataclass(frozen=True)
class Verdict:
    """Whether new weights may ship, and why not."""

    reasons: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """Whether nothing speaks against them."""
        return not self.reasons


def judge(pairs: Sequence[Pair]) -> Verdict:
    """Better over the first five clicks, not worse at the first one or for boxes, and worse in no class."""
    reasons = []
    first, gain = (float(np.mean(each)) for each in ([p.first_gain for p in pairs], [p.mean_gain for p in pairs]))
    low, _ = interval([pair.mean_gain for pair in pairs], [pair.new.scene for pair in pairs])
    if first < 0:
        reasons.append(f"IoU of the first click, in the middle and beside it, falls by {-first:.3f}")
    boxes = float(np.mean([pair.box_gain for pair in pairs]))
    if boxes < -MOST_BOX_LOSS:
        reasons.append(f"the mean IoU of boxes falls by {-boxes:.3f}")
    if gain < LEAST_GAIN:
        reasons.append(f"the mean of IoU@1, @3 and @5 changes by {gain:+.3f}; {LEAST_GAIN:+.3f} is asked for")
    elif low <= 0:
        reasons.append(
            f"the gain of {gain:+.3f} in the mean of IoU@1, @3 and @5 may be chance: its interval begins at {low:+.3f}"
        )
    for name, own in by_class(pairs).items():
        change = float(np.mean([pair.mean_gain for pair in own]))
        if len(own) >= LEAST_OBJECTS and change < -MOST_LOSS:
            reasons.append(f"class {name} becomes worse: {change:+.3f} in the mean of IoU@1, @3 and @5 over {len(own)} objects")
    return Verdict(tuple(reasons))


def by_class(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Pairs of each class, in the order of their names."""
    return {name: [p for p in pairs if p.new.cls == name] for name in sorted({p.new.cls for p in pairs})}


def table(pairs: Sequence[Pair]) -> str:
    """A Markdown table: shipped → new for each class; gains in IoU@1 and in the mean of IoU@1, 3 and 5, with intervals."""
    columns = ("IoU@1", "IoU@3", "IoU@5", "IoU@10", "bIoU@5", "NoC@85", "failures", "jittered", "box", "wide", "near")
    rows = [["", "objects", *columns, "gain at one click", "mean gain"], ["---"] * (len(columns) + 4)]
    for name, own in {"overall": list(pairs), **by_class(pairs)}.items():
        before, after = summary([p.shipped for p in own]), summary([p.new for p in own])
        gains = [_told(own, each) for each in (lambda pair: pair.gain(1), lambda pair: pair.mean_gain)]
        cells = [f"{before[column]:.2f} → {after[column]:.2f}" for column in columns]
        rows.append([name, str(len(own)), *cells, *gains])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _told(pairs: Sequence[Pair], gain: Callable[[Pair], float]) -> str:
    """A mean gain with its interval."""
    low, high = interval([gain(pair) for pair in pairs], [pair.new.scene for pair in pairs])
    return f"{float(np.mean([gain(pair) for pair in pairs])):+.3f} ({low:+.3f} to {high:+.3f})"


def averages(snapshots: Sequence[Path], shipped: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The newest snapshot, and averages of the last ones. snapshots: newest last; shipped: tells which tensors there are."""
    names = load_file(shipped)
    for count in (1, 2, 3, 5):
        if count <= len(snapshots):
            loaded = [load_file(path) for path in snapshots[-count:]]
            yield f"last {count}", {name: _mean([each[name] for each in loaded]) for name in names}


def mixed(former: Mapping[str, Tensor], new: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Between former weights (share 0) and new ones (1)."""
    return {name: torch.lerp(former[name].float(), new[name].float(), share).half().contiguous() for name in former}


def choose(folder: Path) -> tuple[str, dict[str, Tensor]]:
    """The name and weights of a run's best average on the sources held apart."""
    snapshots = sorted((folder / "snapshots").glob("step-*.safetensors"))
    if not snapshots:
        raise SystemExit(f"There are no snapshots in {folder} yet: the first comes with the first validation.")
    _, held_apart = split(sorted((folder / "scenes").iterdir()))
    validation = Validation(held_apart)
    best: tuple[float, str, dict[str, Tensor]] | None = None
    for name, weights in averages(snapshots, WEIGHTS):
        score = validation.report(weights).score
        print(f"{name}: {score:.4f} on the sources held apart", file=sys.stderr, flush=True)
        if best is None or score > best[0]:
            best = score, name, weights
    if best is None:
        raise SystemExit(f"There are no snapshots in {folder} yet: the first comes with the first validation.")
    with safe_open(snapshots[-1], "pt") as newest:
        step = newest.metadata()["step"]
    return f"average of snapshots up to step {step} ({best[1]})", best[2]


def plain_iou(weights: Mapping[str, Tensor]) -> float:
    """Of the plain shape that weights draw worst."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        save_file(dict(weights), file)
        return worst_iou(BuiltinModel(file))


def _mean(tensors: list[Tensor]) -> Tensor:
    return torch.stack([each.float() for each in tensors]).mean(0).half().contiguous()


def digitize(scenes: Path, limit: int, weights: Mapping[str, Path], workers: int) -> list[Pair]:
    """Pairs of trials with the weights "shipped" and "new", scene by scene."""
    folders = sorted(path.parent for path in scenes.glob("*/labels.gpkg"))
    jobs = [(folder, limit, weights[name]) for folder in folders for name in ("shipped", "new")]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        trials = list(pool.map(_trials, jobs))
    return [
        Pair(shipped, new) for both in zip(trials[::2], trials[1::2], strict=True) for shipped, new in zip(*both, strict=True)
    ]


def _trials(job: tuple[Path, int, Path]) -> list[Trial]:
    folder, limit, weights = job
    scene, model = read_scene(folder, limit), _model(weights)
    visible = [target for target in scene.targets if is_visible(scene, target)]
    try:
        return [run_trial(scene, target, model) for target in visible]
    finally:
        scene.source.close()


@cache
def _model(weights: Path) -> BuiltinModel:
    return BuiltinModel(weights)


def write_card(card: Path, name: str, new: Path, pairs: Sequence[Pair], command: str) -> None:
    """Replace the part of the model card between its two marks."""
    text = card.read_text()
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    digest = hashlib.sha256(new.read_bytes()).hexdigest()
    told = f"Weights: {name}, SHA-256 `{digest}`. Former → new weights, `{command}`:\n\n{table(pairs)}"
    card.write_text(f"{head}{BEGIN}\n\n{told}\n\n{END}{tail}")


def main() -> int:
    """Compare, and replace the shipped weights where the new ones may ship; the exit code says whether they were replaced."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--folder", type=Path, default=default_folder(), help="where the run is kept (RASTERLASSO_TRAINING)")
    parser.add_argument("--limit", type=int, default=4, help="objects of a scene")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    name, average = choose(arguments.folder)
    new = arguments.folder / "candidate.safetensors"
    for share in SHARES:
        weights = mixed(load_file(WEIGHTS), average, share)
        told, plain = f"{share:.0%} {name}", plain_iou(weights)
        print(f"{told}: IoU {plain:.2f} of the worst plain shape", file=sys.stderr, flush=True)
        if plain < LEAST_PLAIN:
            continue
        save_file(weights, new)
        pairs = digitize(arguments.scenes, arguments.limit, {"shipped": WEIGHTS, "new": new}, arguments.workers)
        print(table(pairs), flush=True)
        verdict = judge(pairs)
        if verdict.passes:
            shutil.copyfile(new, WEIGHTS)
            write_card(CARD, told, new, pairs, f"make graduate, {arguments.limit} objects a scene at most")
            print(f"Replaced {WEIGHTS}, and the table in {CARD}. Commit both.")
            return 0
        print("The shipped weights stay: " + "; ".join(verdict.reasons) + ".", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
