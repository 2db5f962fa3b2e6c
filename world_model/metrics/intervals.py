"""A figure and its interval.

Frames of one episode hang together, and an interval that takes them for independent ones is too narrow. Whoever has
cases from episodes therefore names the episode of each: the bootstrap then draws whole episodes, never single cases.
The middle `level` of the draws is the interval. Draws in which the figure does not exist (F1 without a single event)
are left out. One cluster alone says nothing about others: its bounds are NaN, as is everything measured on nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BISECTIONS = 60  # halvings of [0, 1]: beyond what a float can tell apart


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; NaN where it is not known."""

    value: float
    low: float
    high: float
    count: int  # cases, or rows of sums
    clusters: int  # what the bootstrap draws; the cases themselves where each stands alone


@dataclass(frozen=True)
class Verdict:
    """Yes or no for each of B cases, and which of them count."""

    holds: Bools
    counts: Bools

    def share(
        self, clusters: npt.ArrayLike | None = None, *, level: float = 0.95, draws: int = 2000, seed: int = 0
    ) -> Estimate:
        """In which share of the cases that count it holds; `clusters` has an entry for every case.

        Example:
            >>> Verdict(np.array([True, False, True]), np.array([True, True, False])).share().value
            0.5
        """
        counted = None if clusters is None else _names(clusters, len(self.holds))[self.counts]
        return proportion(self.holds[self.counts], counted, level=level, draws=draws, seed=seed)


# ---- means and other figures -----------------------------------------------------------------------------------------


def estimate(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """The mean of B values; `clusters` [B] names the episode of each.

    Example:
        >>> estimate([1.0, 1.0, 4.0, 4.0], clusters=[7, 7, 8, 8])
        Estimate(value=2.5, low=1.0, high=4.0, count=4, clusters=2)
    """
    values_B = _finite(values, 1)
    sums_B2 = np.stack([values_B, np.ones(len(values_B))], axis=1)
    return estimate_of_sums(sums_B2, _ratio, clusters, level=level, draws=draws, seed=seed)


def estimate_of_sums(
    sums: npt.ArrayLike,
    statistic: Callable[[Floats], float],
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """A figure made of sums over episodes: F1 from counts, PSNR from squared errors, a ratio of two totals.

    Args:
        sums: [E, N], one row per episode; `statistic` gets the N column totals.
        statistic: gives NaN where the figure does not exist.
        clusters: [E], where several rows are of one episode.
        level: how much of the draws the interval holds.
        draws: how many there are.
        seed: what they follow from.

    Example:
        >>> estimate_of_sums([[1, 2], [1, 2]], lambda totals: totals[0] / totals[1])
        Estimate(value=0.5, low=0.5, high=0.5, count=2, clusters=2)
    """
    sums_EN = _finite(sums, 2)
    names, of_row = _clustered(clusters, len(sums_EN))
    totals = [np.bincount(of_row, column, minlength=names) for column in sums_EN.T]
    pooled_NC = np.array(totals, np.float64).reshape(sums_EN.shape[1], names)

    def drawn(chosen: Ints) -> float:
        return statistic(pooled_NC @ np.bincount(chosen, minlength=names).astype(np.float64))

    value = statistic(sums_EN.sum(axis=0)) if names else math.nan
    return _bootstrapped(value, len(sums_EN), names, drawn, level, draws, seed)


def estimate_of(
    values: npt.ArrayLike,
    statistic: Callable[[Floats], float],
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Any other figure of B values, or of B rows of values: a median, a calibration error.

    Example:
        >>> estimate_of([1, 1, 1, 9], np.median, level=0.5).value
        1.0
    """
    values_B = _finite(values)
    names, of_case = _clustered(clusters, len(values_B))
    order = np.argsort(of_case, kind="stable")
    sizes = np.bincount(of_case, minlength=names)
    firsts = np.cumsum(sizes) - sizes

    def drawn(chosen: Ints) -> float:
        ends = np.cumsum(sizes[chosen])
        places = np.arange(ends[-1]) + np.repeat(firsts[chosen] - ends + sizes[chosen], sizes[chosen])
        return statistic(values_B[order[places]])

    value = statistic(values_B) if names else math.nan
    return _bootstrapped(value, len(values_B), names, drawn, level, draws, seed)


# ---- shares ----------------------------------------------------------------------------------------------------------


def proportion(
    holds: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """In which share of B cases something holds.

    The interval is Wilson's where cases stand alone. With clusters it is the bootstrap's, widened to Wilson's where
    that is wider: clusters make an interval wider, never narrower, and 0 of n is not known to be 0. Where it holds in
    all or in no cases nobody can see how much they hang together: the interval is then what n independent ones give.

    Example:
        >>> never = proportion([False] * 20, clusters=[1, 2] * 10)
        >>> never.value, never.low, round(never.high, 3)
        (0.0, 0.0, 0.161)
    """
    holds_B = np.asarray(holds, np.bool_)
    alone = wilson(int(holds_B.sum()), len(holds_B), level)
    if clusters is None:
        return alone
    drawn = estimate(holds_B, clusters, level=level, draws=draws, seed=seed)
    # numpy's minimum and maximum keep a NaN, Python's may lose it.
    return replace(drawn, low=float(np.minimum(drawn.low, alone.low)), high=float(np.maximum(drawn.high, alone.high)))


def wilson(successes: int, count: int, level: float = 0.95) -> Estimate:
    """Wilson's score interval for `successes` of `count` independent cases.

    Example:
        >>> estimated = wilson(5, 10)
        >>> round(estimated.low, 3), round(estimated.high, 3)
        (0.237, 0.763)
    """
    _check_share(successes, count, level)
    if count == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    share = successes / count
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = share + z**2 / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    low = 0.0 if successes == 0 else (middle - half) / scale
    high = 1.0 if successes == count else (middle + half) / scale
    return Estimate(share, low, high, count, count)


def clopper_pearson(successes: int, count: int, level: float = 0.95) -> Estimate:
    """The exact interval for `successes` of `count` independent cases, for where there are few of them.

    Example:
        >>> estimated = clopper_pearson(0, 10)
        >>> estimated.low, round(estimated.high, 4)
        (0.0, 0.3085)
    """
    _check_share(successes, count, level)
    if count == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    high = _exact_high(successes, count, level)
    return Estimate(successes / count, 1 - _exact_high(count - successes, count, level), high, count, count)


def _exact_high(successes: int, count: int, level: float) -> float:
    """The probability of success with which so few successes, or fewer, have the chance (1 - level) / 2."""
    if successes == count:
        return 1.0
    k = np.arange(1, successes + 1)
    log_choices = np.concatenate([[0.0], np.cumsum(np.log((count - k + 1) / k))])
    k = np.arange(successes + 1)
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        p = (low + high) / 2
        chance = np.exp(log_choices + k * math.log(p) + (count - k) * math.log1p(-p)).sum()
        low, high = (p, high) if chance > (1 - level) / 2 else (low, p)
    return high


# ---- the machinery ---------------------------------------------------------------------------------------------------


def _bootstrapped(
    value: float, count: int, clusters: int, drawn: Callable[[Ints], float], level: float, draws: int, seed: int
) -> Estimate:
    """The figure with the middle of what it is on `draws` drawings of as many clusters as there are."""
    _check_level(level)
    if draws < 1:
        raise ValueError(f"draws is {draws}; expected 1 or more")
    low = high = math.nan
    if clusters > 1:
        generator = np.random.default_rng(seed)
        figures = np.array([drawn(generator.integers(clusters, size=clusters)) for _ in range(draws)])
        known = np.sort(figures[~np.isnan(figures)])
        outside = int(len(known) * (1 - level) / 2)
        if len(known):
            low, high = float(known[outside]), float(known[-1 - outside])
    return Estimate(float(value), low, high, count, clusters)


def _clustered(clusters: npt.ArrayLike | None, count: int) -> tuple[int, Ints]:
    """How many clusters there are, and which one each case is in, from 0 up."""
    if clusters is None:
        return count, np.arange(count)
    names, of_case = np.unique(_names(clusters, count), return_inverse=True)
    return len(names), of_case


def _names(clusters: npt.ArrayLike, count: int) -> npt.NDArray[Any]:
    names = np.asarray(clusters)
    if names.shape != (count,):
        raise ValueError(f"clusters has shape {list(names.shape)}; expected [{count}], one name for each case")
    return names


def _finite(values: npt.ArrayLike, axes: int | None = None) -> Floats:
    """The values as floats; what is not known has to be taken out by whoever knows why it is not."""
    array = np.asarray(values, np.float64)
    if axes is not None and array.ndim != axes:
        raise ValueError(f"values have shape {list(array.shape)}; expected {axes} axes")
    if wrong := int((~np.isfinite(array)).sum()):
        raise ValueError(f"{wrong} of {array.size} values are not finite; take them out and count them")
    return array


def _ratio(totals: Floats) -> float:
    return float(totals[0] / totals[1])


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, such as 0.95")


def _check_share(successes: int, count: int, level: float) -> None:
    _check_level(level)
    if not 0 <= successes <= count:
        raise ValueError(f"{successes} of {count} cases is no share")
