"""Intervals of figures that are drawn together: do they cover what they should, and is the floor 1 and the null 0."""

from __future__ import annotations

import numpy as np
import pytest

from world_model.metrics.agreement import return_error, spearman
from world_model.metrics.resampling import (
    Drawn,
    cluster_totals,
    drawn_by,
    excludes,
    gap_closed,
    holm,
    mean_of,
    policies_and_episodes,
)


def _means(returns_PE: np.ndarray, draws: int, seed: int) -> np.ndarray:
    which, episodes = policies_and_episodes(*returns_PE.shape, draws=draws, seed=seed)
    return np.asarray(returns_PE[which[..., None], episodes].mean(axis=-1))


def test_a_nested_interval_of_the_bias_covers_it_as_often_as_it_says() -> None:
    """95 % intervals of 12 policies are a little short, as percentile intervals of few clusters are: 89 % at least.

    Episodes alone would cover the mean over policies in about half of the cases.
    """
    generator, covered, covered_by_episodes = np.random.default_rng(0), 0, 0
    for trial in range(200):
        bias_P1 = 0.1 + 0.1 * generator.normal(size=(12, 1))
        dream_PE = bias_P1 + 0.3 * generator.normal(size=(12, 20))
        low, high = np.quantile(_means(dream_PE, 300, trial).mean(axis=-1), [0.025, 0.975])
        covered += low <= 0.1 <= high
        alone = dream_PE.mean() + np.array([-1.96, 1.96]) * 0.3 / np.sqrt(12 * 20)
        covered_by_episodes += alone[0] <= 0.1 <= alone[1]
    assert 178 <= covered <= 199
    assert covered_by_episodes < 160


def test_the_real_game_in_the_dreams_place_closes_the_gap_in_nearly_all_intervals() -> None:
    """At least 90 % of intervals contain 1 where dream and real are the same game."""
    generator, contains, figures = np.random.default_rng(1), 0, 0
    skill_P1 = np.linspace(0, 1, 12)[:, None]
    for trial in range(60):
        real, again, dream = (_means(skill_P1 + 0.3 * generator.normal(size=(12, 30)), 300, trial) for _ in range(3))
        dealt = np.abs(real[..., :, None] - real[..., None, :]).mean(axis=(-2, -1))
        for figure, null in ((return_error, dealt), (spearman, np.zeros(300))):
            model, floor = (figure(dream=each, real=real) for each in (dream, again))
            closed = gap_closed(*(Drawn(float(np.median(each)), each) for each in (model, floor, null)))
            assert closed is not None
            estimate = closed.estimate(12, 12)
            contains, figures = contains + (estimate.low <= 1 <= estimate.high), figures + 1
    assert contains >= 0.9 * figures


def test_clusters_are_drawn_whole() -> None:
    """Ten cases of each of six games that differ: single cases would give an interval a third as wide."""
    generator = np.random.default_rng(2)
    clusters = np.repeat(np.arange(6), 10)
    values = generator.normal(size=6)[clusters]
    totals, drawn = cluster_totals(np.stack([values, np.ones(60)], axis=1), clusters, 2000, seed=0)
    of_games = mean_of(totals, drawn, 0, 1).estimate(60, 6)
    totals, drawn = cluster_totals(np.stack([values, np.ones(60)], axis=1), np.arange(60), 2000, seed=0)
    of_cases = mean_of(totals, drawn, 0, 1).estimate(60, 60)
    assert of_games.value == pytest.approx(values.mean())
    assert (of_games.high - of_games.low) > 2.5 * (of_cases.high - of_cases.low)
    assert drawn_by(lambda total: float(total[1]), totals, drawn).draws.tolist() == [60.0] * 2000


def test_floor_is_1_null_is_0_and_worse_than_the_null_is_negative() -> None:
    for value, closed in ((0.1, 1.0), (0.9, 0.0), (1.7, -1.0)):
        found = gap_closed(*(Drawn.exactly(each, 5) for each in (value, 0.1, 0.9)))
        assert found is not None
        assert found.value == pytest.approx(closed)
    higher_is_better = gap_closed(*(Drawn.exactly(each, 5) for each in (15.0, 20.0, 0.0)))
    assert higher_is_better is not None
    assert higher_is_better.value == pytest.approx(0.75)


def test_a_null_that_cannot_be_told_from_the_floor_gives_no_score() -> None:
    noise = np.random.default_rng(3).normal(size=1000)
    near = gap_closed(Drawn.exactly(0.0, 1000), Drawn(0.0, 0.1 * noise), Drawn.exactly(0.2, 1000))
    far = gap_closed(Drawn.exactly(0.0, 1000), Drawn(0.0, 0.1 * noise), Drawn.exactly(0.4, 1000))
    assert near is None
    assert far is not None
    assert gap_closed(Drawn.exactly(0.0, 5), Drawn.exactly(0.2, 5), Drawn.exactly(0.2, 5)) is None
    assert gap_closed(Drawn.exactly(np.nan, 5), Drawn.exactly(0.2, 5), Drawn.exactly(0.9, 5)) is None


def test_holm_is_that_of_the_textbook() -> None:
    """Four tests: the smallest p times 4, the next times 3, never falling, never above 1; NaN is no test."""
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    with_unknown = holm([0.01, np.nan, 0.02])
    assert np.isnan(with_unknown[1])
    assert with_unknown[[0, 2]].tolist() == pytest.approx([0.02, 0.02])


def test_draws_exclude_what_lies_outside_them() -> None:
    draws = Drawn(0.0, np.random.default_rng(4).normal(size=999))
    assert excludes(draws, 0.0) > 0.9
    assert excludes(draws, 1.96) == pytest.approx(0.05, abs=0.03)
    assert excludes(draws, 9.0) == pytest.approx(0.002)
    assert np.isnan(excludes(Drawn(np.nan, np.full(3, np.nan)), 1.0))
