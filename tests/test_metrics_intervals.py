"""Intervals are honest: they draw whole episodes, and 0 of n is not known to be 0."""

from __future__ import annotations

import numpy as np
import pytest

from world_model.metrics.intervals import (
    Verdict,
    clopper_pearson,
    estimate,
    estimate_of,
    estimate_of_sums,
    proportion,
    wilson,
)


def test_the_value_is_the_mean_over_cases_not_over_episodes() -> None:
    estimated = estimate([0, 0, 0, 4], clusters=["a", "a", "a", "b"])
    assert (estimated.value, estimated.count, estimated.clusters) == (1, 4, 2)


def test_two_episodes_give_the_bounds_that_can_be_counted_by_hand() -> None:
    """Of two episodes with means 0 and 1 a quarter of the draws are (0, 0), half have both, a quarter are (1, 1)."""
    clusters = [0, 0, 1, 1]
    assert (estimate([0, 0, 1, 1], clusters).low, estimate([0, 0, 1, 1], clusters).high) == (0, 1)
    inner = estimate([0, 0, 1, 1], clusters, level=0.4)
    assert (inner.low, inner.high) == (0.5, 0.5)


def test_of_many_independent_cases_the_interval_is_the_textbooks() -> None:
    """Mean +- z sd / sqrt(n). A bound of 2,000 draws is off by about 2 % of a half-width, that of a share by less."""
    values = np.random.default_rng(4).normal(size=400)
    for level, z in ((0.95, 1.96), (0.68, 0.994)):
        estimated = estimate(values, level=level)
        assert (estimated.high - estimated.low) / 2 == pytest.approx(z * values.std() / 20, rel=0.1)


def test_the_same_seed_gives_the_same_interval_and_touches_no_global_generator() -> None:
    values = np.arange(20.0)
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    one, two, other = (estimate(values, draws=100, seed=seed) for seed in (1, 1, 2))
    assert one == two
    assert (one.low, one.high) != (other.low, other.high)
    assert np.array_equal(before, np.random.get_state(legacy=False)["state"]["key"])


def test_intervals_over_episodes_hold_the_truth_and_those_over_frames_do_not() -> None:
    """Twenty episodes of ten frames that all share the episode's luck, sixty times, with the truth at 0.

    Measured with other seeds: about 93 % of the 95 % intervals hold the truth (the bootstrap of 20 is a little narrow),
    and about 45 % of those over single frames. The bounds lie four standard deviations away.
    """
    generator = np.random.default_rng(0)
    episodes = np.repeat(np.arange(20), 10)
    held = np.zeros(2)
    for _ in range(60):
        values = generator.normal(size=20)[episodes]
        for kind, clusters in enumerate((episodes, None)):
            estimated = estimate(values, clusters, draws=80)
            held[kind] += estimated.low <= 0 <= estimated.high
    assert held[0] >= 48
    assert held[1] <= 42


def test_rows_of_the_same_episode_are_drawn_together() -> None:
    sums = np.array([[1, 1], [3, 1], [8, 1]])
    rows = estimate_of_sums(sums, lambda totals: totals[0] / totals[1], clusters=[0, 0, 1])
    added = estimate_of_sums([[4, 2], [8, 1]], lambda totals: totals[0] / totals[1])
    assert (rows.value, rows.low, rows.high) == (added.value, added.low, added.high) == (4, 2, 8)
    assert (rows.count, rows.clusters) == (3, 2)


def test_any_figure_of_the_values_has_the_interval_of_its_sums() -> None:
    """Two ways to the mean: drawing cases and drawing sums of clusters."""
    generator = np.random.default_rng(3)
    values, clusters = generator.normal(size=60), generator.integers(9, size=60)
    by_cases = estimate_of(values, lambda drawn: float(drawn.mean()), clusters, draws=300)
    by_sums = estimate(values, clusters, draws=300)
    assert (by_cases.low, by_cases.high) == pytest.approx((by_sums.low, by_sums.high))


def test_draws_without_a_figure_are_left_out() -> None:
    """One of two episodes has events: where a draw has none, there is no F1."""
    estimated = estimate_of_sums([[0, 0], [1, 2]], lambda totals: totals[0] / totals[1] if totals[1] else np.nan)
    assert (estimated.low, estimated.high) == (0.5, 0.5)


def test_an_infinite_figure_is_a_bound() -> None:
    estimated = estimate_of_sums([[0.0], [1.0]], lambda totals: np.inf if totals[0] == 0 else 1 / totals[0])
    assert (estimated.value, estimated.low, estimated.high) == (1, 0.5, np.inf)


def test_one_episode_says_nothing_about_others() -> None:
    for estimated in (estimate([1, 2], clusters=[0, 0]), proportion([True, True], clusters=[0, 0])):
        assert np.isnan([estimated.low, estimated.high]).all()
        assert estimated.clusters == 1


def test_nothing_gives_nothing() -> None:
    for estimated in (estimate([]), proportion([]), proportion([], clusters=[]), wilson(0, 0), clopper_pearson(0, 0)):
        assert np.isnan([estimated.value, estimated.low, estimated.high]).all()
        assert (estimated.count, estimated.clusters) == (0, 0)


# ---- shares ----------------------------------------------------------------------------------------------------------


def test_wilson_is_wilson() -> None:
    """81 of 263: 0.2553 to 0.3662, as in Newcombe 1998, Statistics in Medicine 17, table I."""
    estimated = wilson(81, 263)
    assert (estimated.low, estimated.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_clopper_pearson_is_clopper_pearson() -> None:
    """81 of 263: 0.2527 to 0.3676, from the same table; and for 0 of n, 1 - (1 - level)/2 to the power of 1/n."""
    estimated = clopper_pearson(81, 263)
    assert (estimated.low, estimated.high) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert clopper_pearson(0, 200).high == pytest.approx(1 - 0.025 ** (1 / 200))
    assert clopper_pearson(200, 200).low == pytest.approx(0.025 ** (1 / 200))


@pytest.mark.parametrize("clusters", [None, [0, 1, 2, 3] * 5])
def test_none_or_all_of_n_has_an_interval(clusters: list[int] | None) -> None:
    never, always = proportion([False] * 20, clusters), proportion([True] * 20, clusters)
    assert (never.low, always.high) == (0, 1)
    assert never.high == pytest.approx(0.1611, abs=5e-5)
    assert always.low == pytest.approx(1 - never.high)


def test_clusters_widen_and_never_narrow() -> None:
    alike = np.repeat([True, False, True, False, True, False], 10)
    alternating = np.tile([True, False], 30)
    episodes = np.repeat(np.arange(6), 10)
    alone = proportion(alike)
    assert proportion(alike, episodes).low < alone.low - 0.1
    assert proportion(alike, episodes).high > alone.high + 0.1
    assert (proportion(alternating, episodes).low, proportion(alternating, episodes).high) == (alone.low, alone.high)


def test_a_verdict_leaves_out_what_does_not_count() -> None:
    verdict = Verdict(np.array([True, True, False, True]), np.array([True, False, True, False]))
    assert verdict.share().value == 0.5
    assert verdict.share(clusters=[5, 6, 7, 7]).clusters == 2


# ---- the border ------------------------------------------------------------------------------------------------------


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 values are not finite; take them out and count them"):
        estimate([1, np.nan])
    with pytest.raises(ValueError, match=r"clusters has shape \[3\]; expected \[2\], one name for each case"):
        estimate([1, 2], clusters=[0, 0, 1])
    with pytest.raises(ValueError, match=r"values have shape \[2, 1\]; expected 1 axes"):
        estimate([[1], [2]])
    with pytest.raises(ValueError, match="level is 95; expected a number between 0 and 1"):
        proportion([True], level=95)
    with pytest.raises(ValueError, match="draws is 0; expected 1 or more"):
        estimate([1, 2], draws=0)
    with pytest.raises(ValueError, match="3 of 2 cases is no share"):
        wilson(3, 2)
