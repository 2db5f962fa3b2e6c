"""Events with a tolerance: which were foretold, which were made up, which were missed, and how late they came.

A predicted event and a real one match if they have the same value and lie at most `tolerance` steps apart. Matching is
one to one and optimal: of all largest matchings the one with the least sum of time differences. A series is matched by
itself: whoever has many episodes or rollouts matches one after the other, so that nothing matches across their ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from world_model.metrics.intervals import Floats, Ints


@dataclass(frozen=True)
class Matches:
    """What became of the events of one series."""

    late: Ints  # [hits], predicted step minus real step of each match
    phantoms: int  # predicted, but not real
    misses: int  # real, but not predicted
    steps: int

    @property
    def hits(self) -> int:
        """How many events were matched."""
        return len(self.late)


@dataclass(frozen=True)
class Timing:
    """Median and quartiles of how late matched events are, in steps; NaN without any."""

    median: float
    low_quartile: float
    high_quartile: float
    count: int


def match_events(predicted_T: npt.NDArray[Any], real_T: npt.NDArray[Any], tolerance: int) -> Matches:
    """Match the events of a series of T steps: whatever is not 0, a +1 with a +1 only.

    For one class of rewards, or for ends of games, hand over where they are: `rewards == 1`, `terminated`.

    Example:
        >>> matches = match_events(np.array([0, 1, 0, 0, -1]), np.array([1, 0, 0, 0, 1]), tolerance=1)
        >>> matches.hits, matches.phantoms, matches.misses, matches.late.tolist()
        (1, 1, 1, [1])
    """
    if predicted_T.shape != real_T.shape or predicted_T.ndim != 1:
        raise ValueError(f"series are {list(predicted_T.shape)} and {list(real_T.shape)}; expected one shape [T]")
    if np.isnan(predicted_T).any() or np.isnan(real_T).any():
        raise ValueError("a series has NaN; only steps whose rewards are known can be matched")
    values = np.union1d(predicted_T, real_T)
    late = [_lateness(predicted_T == value, real_T == value, tolerance) for value in values[values != 0]]
    late_N = np.concatenate([np.empty(0, np.int64), *late])
    phantoms, misses = (int(np.count_nonzero(series)) - len(late_N) for series in (predicted_T, real_T))
    return Matches(late_N, phantoms, misses, steps=len(predicted_T))


def match_steps(predicted_N: Ints, real_N: Ints, tolerance: int) -> Ints:
    """Pairs [hits, 2] of a predicted step and a real step, each step in one pair at most; both are in rising order.

    Example:
        >>> match_steps(np.array([3, 9]), np.array([2, 3, 4]), tolerance=1).tolist()
        [[3, 3]]
    """
    if tolerance < 0:
        raise ValueError(f"tolerance is {tolerance}; expected 0 or more steps")
    # On a line no best matching needs crossing pairs, so best[i, j] for the first i and j steps follows from its
    # neighbours. A pair is worth more than all time differences together: first most pairs, then least differences.
    worth = tolerance * min(len(predicted_N), len(real_N)) + 1
    best = np.zeros((len(predicted_N) + 1, len(real_N) + 1), np.int64)
    for row, step in enumerate(predicted_N, start=1):
        apart_N = np.abs(real_N - step)
        paired = best[row - 1, :-1] + np.where(apart_N <= tolerance, worth - apart_N, 0)
        best[row, 1:] = np.maximum.accumulate(np.maximum(best[row - 1, 1:], paired))
    return _pairs(best, predicted_N, real_N)


def event_sums(matches: Sequence[Matches]) -> Floats:
    """Rows [E, 4] of hits, phantoms, misses and steps, one per series: what the figures below are made of.

    Example:
        >>> event_sums([match_events(np.array([0, 1]), np.array([0, 1]), 0)]).tolist()
        [[1.0, 0.0, 0.0, 2.0]]
    """
    rows = [(each.hits, each.phantoms, each.misses, each.steps) for each in matches]
    return np.array(rows, np.float64).reshape(-1, 4)


def f1(sums_4: Floats) -> float:
    """2 hits / (predicted + real), from added-up rows of `event_sums`; NaN without any event.

    Example:
        >>> f1(np.array([3, 1, 1, 100]))
        0.75
    """
    hits, phantoms, misses, _ = sums_4
    return _share(2 * hits, 2 * hits + phantoms + misses)


def precision(sums_4: Floats) -> float:
    """Hits / predicted; NaN where nothing was predicted.

    Example:
        >>> precision(np.array([3, 1, 0, 100]))
        0.75
    """
    return _share(sums_4[0], sums_4[0] + sums_4[1])


def recall(sums_4: Floats) -> float:
    """Hits / real; NaN where nothing happened.

    Example:
        >>> recall(np.array([3, 0, 1, 100]))
        0.75
    """
    return _share(sums_4[0], sums_4[0] + sums_4[2])


def phantoms_per_1000_steps(sums_4: Floats) -> float:
    """Predicted events that were none, in a thousand steps.

    Example:
        >>> phantoms_per_1000_steps(np.array([3, 1, 0, 500]))
        2.0
    """
    return 1000 * _share(sums_4[1], sums_4[3])


def timing(matches: Sequence[Matches]) -> Timing:
    """How late the matched events of all series are.

    Example:
        >>> timing([match_events(np.array([0, 1, 0]), np.array([1, 0, 0]), 1)])
        Timing(median=1.0, low_quartile=1.0, high_quartile=1.0, count=1)
    """
    late_N = np.concatenate([np.empty(0, np.int64), *(each.late for each in matches)])
    if len(late_N) == 0:
        return Timing(math.nan, math.nan, math.nan, 0)
    low, median, high = np.percentile(late_N, [25, 50, 75]).tolist()
    return Timing(median, low, high, len(late_N))


def _lateness(predicted_T: npt.NDArray[np.bool_], real_T: npt.NDArray[np.bool_], tolerance: int) -> Ints:
    pairs_N2 = match_steps(np.flatnonzero(predicted_T), np.flatnonzero(real_T), tolerance)
    return pairs_N2[:, 0] - pairs_N2[:, 1]


def _pairs(best: Ints, predicted_N: Ints, real_N: Ints) -> Ints:
    """Walk back through the table of `match_steps`."""
    pairs: list[tuple[int, int]] = []
    row, column = len(predicted_N), len(real_N)
    while row and column:
        if best[row, column] == best[row - 1, column]:
            row -= 1
        elif best[row, column] == best[row, column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((predicted_N[row], real_N[column]))
    return np.array(pairs[::-1], np.int64).reshape(-1, 2)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
