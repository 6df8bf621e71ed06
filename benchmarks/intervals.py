"""How far a mean may be off by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLED = 2000


def interval(values: Sequence[float], scenes: Sequence[str]) -> tuple[float, float]:
    """95 % interval (low, high) of the mean of values, each of a scene.

    By a bootstrap over scenes (Efron and Tibshirani, 1993), since objects of one scene are alike.
    """
    by_scene = [
        np.array([value for value, own in zip(values, scenes, strict=True) if own == name]) for name in sorted(set(scenes))
    ]
    rng = np.random.default_rng(0)
    means = [
        np.concatenate([by_scene[index] for index in rng.integers(len(by_scene), size=len(by_scene))]).mean()
        for _ in range(RESAMPLED)
    ]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
