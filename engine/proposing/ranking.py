"""How probably each proposal is of the kind that is meant, learnt from the answers so far.

Ridge regression (Hoerl and Kennard, Technometrics 1970) of yes and no on what the proposals look like: it has a closed form, so
that each answer counts at once, and with few answers it says little. The model's own estimate of the overlap goes before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from .proposals import Found

RIDGE = 0.3
LOOKS_SCALE, SHAPE_SCALE = 3.0, 1.0
"""How much what an object looks like counts beside its shape."""

SLOPE = 2.0
"""Of the logistic function that makes a probability of the regression."""

SIZE_SPREAD = 0.7
"""Standard deviation of the logarithm of an area, beyond those of the examples."""

Rows = npt.NDArray[np.float64]


class Ranking:
    """Of some proposals. areas_px2: (k,) areas of the examples in native pixels, empty where there are none."""

    def __init__(self, found: Sequence[Found], areas_px2: npt.NDArray[np.float64]) -> None:
        self._rows = _rows(found)
        scores = np.array([each.score for each in found], np.float64)
        self._prior = scores * _size_fit(np.array([each.polygon_px.area for each in found]), areas_px2)

    def likeness(self, accepted: Collection[int], rejected: Collection[int]) -> npt.NDArray[np.float64]:
        """(n,) 0 to 1, given the indices of what was said yes and no to."""
        if not accepted or not rejected:
            return self._prior
        weights = _fitted(self._rows[sorted(accepted)], self._rows[sorted(rejected)])
        learnt = 1 / (1 + np.exp(-SLOPE * (self._rows @ weights)))
        return np.asarray(learnt * (self._prior + 0.1) / 1.1)


def _rows(found: Sequence[Found]) -> Rows:
    """(n, d) standardized looks and shape, with a constant."""
    looks = np.array([each.descriptor for each in found], np.float64).reshape(len(found), -1)
    shape = np.array([_shape_of(each) for each in found], np.float64).reshape(len(found), -1)
    parts = [_standardized(shape) * SHAPE_SCALE, np.ones((len(found), 1))]
    if looks.shape[1]:
        parts.insert(0, _standardized(looks) * LOOKS_SCALE / np.sqrt(looks.shape[1]))
    return np.hstack(parts)


def _shape_of(found: Found) -> tuple[float, ...]:
    area, length = found.polygon_px.area, found.polygon_px.length
    return float(np.log(area)), 4 * np.pi * area / length**2, found.score, found.stability, float(found.choice is None)


def _standardized(values: Rows) -> Rows:
    if not len(values):
        return values
    return np.asarray((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6))


def _fitted(yes: Rows, no: Rows) -> npt.NDArray[np.float64]:
    """(d,) weights; both answers count alike, however many of each there are."""
    rows = np.vstack((yes, no))
    targets = np.concatenate((np.ones(len(yes)), -np.ones(len(no))))
    shares = np.concatenate((np.full(len(yes), 1 / len(yes)), np.full(len(no), 1 / len(no))))
    weighted = rows * shares[:, None]
    return np.linalg.solve(weighted.T @ rows + RIDGE * np.eye(rows.shape[1]), weighted.T @ targets)


def _size_fit(areas_px2: npt.NDArray[np.float64], examples_px2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) 1 within the examples' spread, less the further an area lies from it."""
    if not len(examples_px2):
        return np.ones(len(areas_px2))
    logs = np.log(examples_px2)
    beyond = np.maximum(np.abs(np.log(areas_px2) - logs.mean()) - logs.std() - 0.2, 0.0)
    return np.asarray(np.exp(-((beyond / SIZE_SPREAD) ** 2) / 2))
