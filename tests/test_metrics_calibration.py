"""Probabilities are judged by what they say, not by how often the likelier side wins."""

from __future__ import annotations

import numpy as np
import pytest

from world_model.metrics.calibration import (
    brier,
    brier_skill,
    brier_sums,
    expected_calibration_error,
    reliability,
)
from world_model.metrics.intervals import Bools, Floats, estimate_of_sums

_NONE, _NEVER = np.empty(0), np.empty(0, np.bool_)


def _drawn(count: int) -> tuple[Floats, Bools]:
    """Probabilities, and events that come true with them."""
    generator = np.random.default_rng(0)
    probabilities = generator.uniform(size=count)
    return probabilities, generator.uniform(size=count) < probabilities


def test_brier_is_the_mean_squared_error() -> None:
    sums = brier_sums(np.array([0.0, 0.5, 1.0, 0.2]), np.array([False, True, True, False]))
    assert brier(sums.sum(axis=0)) == pytest.approx((0 + 0.25 + 0 + 0.04) / 4)
    assert estimate_of_sums(sums, brier, clusters=[0, 0, 1, 1]).value == brier(sums.sum(axis=0))


def test_knowing_is_skill_and_the_base_rate_is_none() -> None:
    """For an event in 1 of 100 cases never saying so is right in 99 %: it has less than no skill."""
    happened = np.arange(100) == 17
    for probabilities, skill in ((happened.astype(np.float64), 1), (np.full(100, 0.01), 0), (np.zeros(100), -1 / 99)):
        assert brier_skill(brier_sums(probabilities, happened).sum(axis=0)) == pytest.approx(skill)


def test_without_both_outcomes_there_is_no_skill() -> None:
    for happened in (np.zeros(3, np.bool_), np.ones(3, np.bool_)):
        assert np.isnan(brier_skill(brier_sums(np.full(3, 0.5), happened).sum(axis=0)))


def test_bins_hold_the_same_number_of_cases() -> None:
    """Rare events: 15 bins of the same width would put nearly all cases into one."""
    table = reliability(np.linspace(0, 1, 30) ** 8, np.zeros(30, np.bool_))
    assert table.count.tolist() == [2] * 15
    assert (np.diff(table.probability) > 0).all()


def test_the_table_can_be_made_by_hand() -> None:
    table = reliability(np.array([0.8, 0.1, 0.6, 0.3]), np.array([True, False, False, True]), bins=2)
    assert table.probability.tolist() == pytest.approx([0.2, 0.7])
    assert table.share.tolist() == [0.5, 0.5]
    assert expected_calibration_error(table) == pytest.approx((0.3 + 0.2) / 2)


def test_the_order_of_cases_changes_nothing() -> None:
    """Many cases have exactly the same probability; cutting them apart by order would invent errors."""
    probabilities, happened = np.full(60, 0.5), np.arange(60) < 30
    assert reliability(probabilities, happened).count.tolist() == [60]
    assert expected_calibration_error(reliability(probabilities, happened)) == 0


def test_true_probabilities_are_calibrated_and_bold_ones_are_not() -> None:
    """30,000 draws in 15 bins: the error of a share is about 0.01, half of it on average."""
    probabilities, happened = _drawn(30_000)
    bold = np.where(probabilities > 0.5, 1 - (1 - probabilities) / 4, probabilities / 4)
    assert expected_calibration_error(reliability(probabilities, happened)) < 0.015
    assert expected_calibration_error(reliability(bold, happened)) > 0.1
    assert brier(brier_sums(probabilities, happened).sum(axis=0)) < brier(brier_sums(bold, happened).sum(axis=0))


def test_unequal_bins_count_by_their_cases() -> None:
    probabilities = np.array([0.0, 0.0, 0.0, 1.0])
    table = reliability(probabilities, np.zeros(4, np.bool_), bins=2)
    assert table.count.tolist() == [3, 1]
    assert expected_calibration_error(table) == 0.25


def test_nothing_gives_nothing() -> None:
    assert np.isnan(brier(brier_sums(_NONE, _NEVER).sum(axis=0)))
    assert np.isnan(expected_calibration_error(reliability(_NONE, _NEVER)))


def test_what_is_no_probability_is_refused() -> None:
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"some probabilities are not in \[0, 1\]"):
            reliability(np.array([wrong]), np.array([True]))
    with pytest.raises(ValueError, match=r"probabilities are \[2\] and events \[1\]; expected \[B\] each"):
        brier_sums(np.zeros(2), np.array([True]))
