"""Figures that are drawn together: a figure, the same on the real game itself, and the same on a null.

`intervals` gives one figure its interval. Here several are drawn from the same resampled cases, so that what is made of
them (a difference, a gap-closed score) has an interval, too. Two ways of drawing: whole clusters, or policies and, in
each, episodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from world_model.metrics.intervals import Estimate, Floats, Ints

LEVEL = 0.95
_LEAST_POWER = 3.0  # standard errors between floor and null


@dataclass(frozen=True)
class Drawn:
    """A figure, and what it is on each of the draws; NaN where it does not exist."""

    value: float
    draws: Floats

    @classmethod
    def exactly(cls, value: float, draws: int) -> Drawn:
        """A figure that is known.

        Example:
            >>> Drawn.exactly(0.0, 3).draws.tolist()
            [0.0, 0.0, 0.0]
        """
        return cls(float(value), np.full(draws, float(value)))

    def estimate(self, count: int, clusters: int, level: float = LEVEL) -> Estimate:
        """With the middle `level` of the draws as its interval; without one where there is one cluster only.

        Example:
            >>> Drawn(2.0, np.arange(101.0)).estimate(5, 5)
            Estimate(value=2.0, low=2.0, high=98.0, count=5, clusters=5)
        """
        known = np.sort(self.draws[~np.isnan(self.draws)])
        if clusters < 2 or not len(known):
            return Estimate(self.value, math.nan, math.nan, count, clusters)
        outside = int(len(known) * (1 - level) / 2)
        return Estimate(self.value, float(known[outside]), float(known[-1 - outside]), count, clusters)


# ---- ways of drawing -------------------------------------------------------------------------------------------------


def policies_and_episodes(policies: int, episodes: int, draws: int, seed: int) -> tuple[Ints, Ints]:
    """Which policies [D, P], and which episodes of each [D, P, E], a nested bootstrap draws.

    Example:
        >>> which, episodes = policies_and_episodes(3, 5, draws=2, seed=0)
        >>> which.shape, episodes.shape
        ((2, 3), (2, 3, 5))
    """
    generator = np.random.default_rng(seed)
    which = generator.integers(policies, size=(draws, policies))
    return which, generator.integers(episodes, size=(draws, policies, episodes))


def cluster_totals(sums: npt.ArrayLike, clusters: npt.ArrayLike, draws: int, seed: int) -> tuple[Floats, Floats]:
    """The totals [N] of rows of sums [E, N], and those [D, N] of so many drawings of whole clusters [E].

    Example:
        >>> totals, drawn = cluster_totals([[1.0, 2.0], [3.0, 4.0]], [7, 7], draws=2, seed=0)
        >>> totals.tolist(), drawn.tolist()
        ([4.0, 6.0], [[4.0, 6.0], [4.0, 6.0]])
    """
    sums_EN = np.asarray(sums, np.float64)
    if sums_EN.ndim != 2 or not np.isfinite(sums_EN).all():
        raise ValueError(f"sums have shape {list(sums_EN.shape)}; expected finite numbers [rows, columns]")
    names, of_row = np.unique(np.asarray(clusters), return_inverse=True)
    pooled_CN = np.zeros((len(names), sums_EN.shape[1]))
    np.add.at(pooled_CN, of_row, sums_EN)
    chosen = np.random.default_rng(seed).integers(max(1, len(names)), size=(draws, len(names)))
    times_DC = np.zeros((draws, len(names)))
    np.add.at(times_DC, (np.arange(draws)[:, None], chosen), 1.0)
    return sums_EN.sum(axis=0), times_DC @ pooled_CN


def drawn_by(statistic: Callable[[Floats], float], totals_N: Floats, drawn_DN: Floats) -> Drawn:
    """A figure made of totals, on all draws.

    Example:
        >>> drawn_by(lambda totals: float(totals[0] / totals[1]), np.array([1.0, 2.0]), np.array([[3.0, 3.0]]))
        Drawn(value=0.5, draws=array([1.]))
    """
    return Drawn(statistic(totals_N), np.array([statistic(each) for each in drawn_DN], np.float64))


def mean_of(totals_N: Floats, drawn_DN: Floats, which: int, count: int) -> Drawn:
    """Column `which` over column `count`; NaN without any case.

    Example:
        >>> mean_of(np.array([1.0, 2.0]), np.array([[3.0, 3.0]]), 0, 1)
        Drawn(value=0.5, draws=array([1.]))
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value, draws = totals_N[which] / totals_N[count], drawn_DN[:, which] / drawn_DN[:, count]
    return Drawn(float(value), np.where(drawn_DN[:, count] > 0, draws, np.nan))


# ---- what is made of them --------------------------------------------------------------------------------------------


def gap_closed(model: Drawn, floor: Drawn, null: Drawn) -> Drawn | None:
    """1: as near to the real game as it is to itself; 0: no better than the null; below 0: worse.

    None where floor and null cannot be told apart (less than three standard errors): the figure has no power there.

    Example:
        >>> gap_closed(*(Drawn.exactly(each, 2) for each in (0.25, 0.0, 1.0)))
        Drawn(value=0.75, draws=array([0.75, 0.75]))
    """
    span = null.draws - floor.draws
    known = span[np.isfinite(span)]
    power = abs(null.value - floor.value)
    if math.isnan(power + model.value) or not len(known) or power == 0 or power < _LEAST_POWER * float(known.std()):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = 1 - (model.draws - floor.draws) / np.where(span == 0, np.nan, span)
    return Drawn(1 - (model.value - floor.value) / (null.value - floor.value), draws)


def excludes(drawn: Drawn, value: float) -> float:
    """The p value, two-sided, of the figure being `value`: how much of its draws lies beyond that, doubled.

    Example:
        >>> drawn = Drawn(0.5, np.linspace(0, 1, 99))
        >>> excludes(drawn, 0.5), round(excludes(drawn, 2.0), 3)
        (1.0, 0.02)
    """
    known = drawn.draws[~np.isnan(drawn.draws)]
    if not len(known):
        return math.nan
    # One draw more on either side: no finite number of draws excludes anything for certain.
    below, above = (known <= value + 1e-12).sum() + 1, (known >= value - 1e-12).sum() + 1
    return float(min(1.0, 2 * min(below, above) / (len(known) + 1)))


def holm(p_values: npt.ArrayLike) -> Floats:
    """Holm's adjusted p values of a family of tests; NaN stays out of it.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
        [0.03, 0.06, 0.06]
    """
    p_N = np.asarray(p_values, np.float64)
    adjusted_N, known = np.full(len(p_N), np.nan), np.flatnonzero(~np.isnan(p_N))
    order = known[np.argsort(p_N[known], kind="stable")]
    times = np.arange(len(order), 0, -1)
    adjusted_N[order] = np.minimum(1.0, np.maximum.accumulate(p_N[order] * times))
    return adjusted_N
