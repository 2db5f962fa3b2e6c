"""Events match one to one, in value and nearly in time, and never across the ends of episodes."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from world_model.metrics.events import (
    Matches,
    event_sums,
    f1,
    match_events,
    match_steps,
    phantoms_per_1000_steps,
    precision,
    recall,
    timing,
)
from world_model.metrics.intervals import Ints, estimate_of_sums


def _series(*events: tuple[int, int], steps: int = 20) -> Ints:
    """0 but for (step, value)."""
    series = np.zeros(steps, np.int64)
    for step, value in events:
        series[step] = value
    return series


def _counts(matches: Matches) -> tuple[int, int, int]:
    return matches.hits, matches.phantoms, matches.misses


def test_what_really_happened_is_matched_in_full() -> None:
    real = _series((3, 1), (4, -1), (9, 1))
    for tolerance in (0, 1, 3):
        matches = match_events(real, real, tolerance)
        assert _counts(matches) == (3, 0, 0)
        assert matches.late.tolist() == [0, 0, 0]
        assert f1(event_sums([matches])[0]) == 1


@pytest.mark.parametrize(("tolerance", "hits"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_two_steps_late_is_a_hit_from_a_tolerance_of_two(tolerance: int, hits: int) -> None:
    matches = match_events(_series((7, 1)), _series((5, 1)), tolerance)
    assert _counts(matches) == (hits, 1 - hits, 1 - hits)
    assert matches.late.tolist() == [2] * hits


def test_a_point_lost_is_no_point_won() -> None:
    """A flipped sign would be a perfect F1 if only the time counted."""
    assert _counts(match_events(_series((5, -1)), _series((5, 1)), 3)) == (0, 1, 1)


def test_one_event_is_no_two() -> None:
    """Saying it twice, or once for two, is not forgiven by the tolerance."""
    assert _counts(match_events(_series((4, 1), (5, 1)), _series((5, 1)), 1)) == (1, 1, 0)
    assert _counts(match_events(_series((5, 1)), _series((4, 1), (5, 1)), 1)) == (1, 0, 1)


def test_of_two_partners_the_nearer_is_taken_unless_that_costs_a_match() -> None:
    assert match_events(_series((5, 1)), _series((4, 1), (5, 1)), 1).late.tolist() == [0]
    # 5 goes with 6, though 5 is nearer: otherwise the predicted 4 would have nobody.
    assert match_events(_series((4, 1), (5, 1)), _series((5, 1), (6, 1)), 1).late.tolist() == [-1, -1]


def test_matching_is_optimal() -> None:
    """Against all ways of pairing up to four and four steps, for 300 random series."""
    generator = np.random.default_rng(0)
    for _ in range(300):
        predicted, real = (np.sort(generator.choice(12, generator.integers(5), replace=False)) for _ in range(2))
        tolerance = int(generator.integers(4))
        pairs = match_steps(predicted, real, tolerance)
        best = min(
            (-size, sum(abs(one - two) for one, two in zip(chosen, others, strict=True)))
            for size in range(min(len(predicted), len(real)) + 1)
            for chosen in combinations(predicted.tolist(), size)
            for others in permutations(real.tolist(), size)
            if all(abs(one - two) <= tolerance for one, two in zip(chosen, others, strict=True))
        )
        assert (-len(pairs), np.abs(pairs[:, 0] - pairs[:, 1]).sum()) == best
        assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)


def test_ends_of_games_are_events_too() -> None:
    over = _series((19, 1)).astype(np.bool_)
    assert _counts(match_events(over, over, 0)) == (1, 0, 0)
    assert _counts(match_events(~over, over, 0)) == (0, 19, 1)


def test_episodes_are_matched_by_themselves() -> None:
    """An event at the end of one episode and one at the beginning of the next are a step apart, and not the same."""
    last, first, none = _series((19, 1)), _series((0, 1)), _series()
    apart = event_sums([match_events(last, none, 1), match_events(none, first, 1)])
    assert apart.tolist() == [[0, 1, 0, 20], [0, 0, 1, 20]]
    assert f1(apart.sum(axis=0)) == 0


def test_figures_come_from_sums() -> None:
    totals = np.array([6.0, 2.0, 4.0, 4000.0])
    assert f1(totals) == pytest.approx(12 / 18)
    assert precision(totals) == 0.75
    assert recall(totals) == 0.6
    assert phantoms_per_1000_steps(totals) == 0.5


def test_f1_over_episodes_has_an_interval() -> None:
    """One episode is perfect, one has nothing but faults."""
    real, none = _series((3, 1), (9, 1)), _series()
    sums = event_sums([match_events(real, real, 1), match_events(none, real, 1)])
    estimated = estimate_of_sums(sums, f1)
    assert estimated.value == pytest.approx(2 / 3)
    assert (estimated.low, estimated.high) == (0, 1)


def test_without_events_there_is_no_figure() -> None:
    sums = event_sums([match_events(_series(), _series(), 1)])[0]
    assert np.isnan([f1(sums), precision(sums), recall(sums)]).all()
    assert phantoms_per_1000_steps(sums) == 0
    assert np.isnan(timing([]).median)
    assert event_sums([]).shape == (0, 4)


def test_timing_is_that_of_the_matches() -> None:
    late = [match_events(_series((5 + shift, 1)), _series((5, 1)), 3) for shift in (-1, 0, 1, 1, 3)]
    found = timing([*late, match_events(_series((19, 1)), _series((5, 1)), 3)])
    assert (found.median, found.low_quartile, found.high_quartile, found.count) == (1, 0, 1, 5)


def test_wrong_series_are_refused() -> None:
    with pytest.raises(ValueError, match=r"series are \[20\] and \[19\]; expected one shape \[T\]"):
        match_events(_series(), _series(steps=19), 1)
    with pytest.raises(ValueError, match="a series has NaN"):
        match_events(np.array([np.nan]), np.array([1.0]), 1)
    with pytest.raises(ValueError, match="tolerance is -1; expected 0 or more steps"):
        match_events(_series((1, 1)), _series(), -1)
