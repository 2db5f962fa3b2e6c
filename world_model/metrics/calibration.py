"""Are probabilities what they say: of the cases that get 30 %, do 30 % come true.

One event at a time: the end of the game, or one class of rewards against all others. Accuracy is no figure here: for
rare events it is high for whoever never foretells one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from world_model.metrics.intervals import Bools, Floats, Ints

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """A row for each bin of cases that were given about the same probability, from low to high."""

    probability: Floats  # [N], mean of what the bin's cases were given
    share: Floats  # [N], in which share of them it happened
    count: Ints  # [N]


def brier_sums(probabilities_B: Floats, happened_B: Bools) -> Floats:
    """Rows [B, 3]: the squared error of each probability, whether it happened, and 1. Rows may be added up.

    Example:
        >>> brier_sums(np.array([0.5, 1.0]), np.array([True, True])).tolist()
        [[0.25, 1.0, 1.0], [0.0, 1.0, 1.0]]
    """
    _check(probabilities_B, happened_B)
    return np.stack([np.square(probabilities_B - happened_B), happened_B, np.ones(len(happened_B))], axis=1)


def brier(sums_3: Floats) -> float:
    """The mean squared error of the probabilities, from added-up rows of `brier_sums`; NaN without any.

    Example:
        >>> brier(brier_sums(np.array([0.5, 1.0]), np.array([True, True])).sum(axis=0))
        0.125
    """
    error, _, count = sums_3
    return float(error / count) if count else math.nan


def brier_skill(sums_3: Floats) -> float:
    """1 - Brier / Brier of the base rate: 1 is perfect, 0 no better than always saying how often it happens.

    The base rate is that of the same cases; NaN where it is 0 or 1 and there is nothing to be skilled at.

    Example:
        >>> brier_skill(brier_sums(np.array([0.5, 0.5]), np.array([True, False])).sum(axis=0))
        0.0
    """
    _, happened, count = sums_3
    if happened in (0, count):
        return math.nan
    rate = happened / count
    return 1 - brier(sums_3) / float(rate * (1 - rate))


def reliability(probabilities_B: Floats, happened_B: Bools, bins: int = BINS) -> Reliability:
    """The cases in order of their probability, in bins of the same number of cases.

    Equal probabilities share a bin, so that the order of the cases changes nothing; bins that get none are left out.

    Example:
        >>> table = reliability(np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, False, True, False]), bins=2)
        >>> table.probability.tolist(), table.share.tolist(), table.count.tolist()
        ([0.1, 0.9], [0.0, 0.5], [2, 2])
    """
    _check(probabilities_B, happened_B)
    lower_B = np.searchsorted(np.sort(probabilities_B), probabilities_B)  # how many are lower
    _, bin_B = np.unique(lower_B * bins // max(1, len(lower_B)), return_inverse=True)
    count_N = np.bincount(bin_B)
    return Reliability(np.bincount(bin_B, probabilities_B) / count_N, np.bincount(bin_B, happened_B) / count_N, count_N)


def expected_calibration_error(table: Reliability) -> float:
    """How far probabilities and shares are apart, averaged over cases; NaN without any.

    Its bootstrap interval, as that of any distance, lies a little above it.

    Example:
        >>> expected_calibration_error(reliability(np.array([0.25, 0.25]), np.array([True, False])))
        0.25
    """
    if len(table.count) == 0:
        return math.nan
    return float(np.abs(table.share - table.probability) @ table.count / table.count.sum())


def _check(probabilities_B: Floats, happened_B: Bools) -> None:
    if probabilities_B.shape != happened_B.shape or probabilities_B.ndim != 1:
        raise ValueError(
            f"probabilities are {list(probabilities_B.shape)} and events {list(happened_B.shape)}; expected [B] each"
        )
    if not ((probabilities_B >= 0) & (probabilities_B <= 1)).all():
        raise ValueError("some probabilities are not in [0, 1]")
