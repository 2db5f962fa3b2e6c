"""Several futures of one moment: those drawn as reality draws are the best, and what came is like any of them."""

from __future__ import annotations

import numpy as np
import pytest

from world_model.metrics.futures import central_rank, energy_score, flatness
from world_model.metrics.intervals import Floats, Ints

_MOMENTS, _FUTURES, _NUMBERS = 1500, 16, 5


def _drawn(spread: float) -> tuple[Floats, Floats]:
    """Futures of a spread [S, M, D], and what came [S, D], of a spread of 1."""
    generator = np.random.default_rng(0)
    futures = spread * generator.normal(size=(_MOMENTS, _FUTURES, _NUMBERS))
    return futures, generator.normal(size=(_MOMENTS, _NUMBERS))


def _counts(spread: float) -> Ints:
    generator = np.random.default_rng(1)
    ranks = [central_rank(*each, generator) for each in zip(*_drawn(spread), strict=True)]
    return np.bincount(ranks, minlength=_FUTURES + 1)


def test_the_energy_score_is_best_for_futures_drawn_as_reality_draws() -> None:
    """A mean of all that may come, sixteen times, is worse; so are futures that vary too little or too much."""
    scores = {
        spread: np.mean([energy_score(*each) for each in zip(*_drawn(spread), strict=True)])
        for spread in (0.0, 0.5, 1.0, 2.0)
    }
    assert min(scores, key=scores.__getitem__) == 1.0
    assert scores[0.0] > 1.3 * scores[1.0]


def test_the_energy_score_does_not_depend_on_how_many_futures_there_are() -> None:
    futures_SMD, recorded_SD = _drawn(1.0)
    few, many = (
        np.mean([energy_score(*each) for each in zip(futures_SMD[:, :count], recorded_SD, strict=True)])
        for count in (3, _FUTURES)
    )
    assert few == pytest.approx(many, rel=0.03)


def test_ranks_are_flat_only_if_the_recorded_future_is_one_of_them() -> None:
    assert flatness(_counts(1.0)) > 0.05
    assert flatness(_counts(0.9)) < 0.01
    too_alike, too_varied = _counts(0.3), _counts(3.0)
    assert too_alike[-1] > 0.9 * _MOMENTS
    assert too_varied[0] > 0.6 * _MOMENTS


def test_a_game_without_chance_is_flat_by_fair_ties() -> None:
    """All futures and the recorded one are the same."""
    generator = np.random.default_rng(0)
    ranks = [central_rank(np.ones((_FUTURES, 3)), np.ones(3), generator) for _ in range(_MOMENTS)]
    assert flatness(np.bincount(ranks, minlength=_FUTURES + 1)) > 0.05


def test_one_future_alone_has_no_energy_score() -> None:
    with pytest.raises(ValueError, match="1 futures; an energy score needs 2 or more"):
        energy_score(np.ones((1, 3)), np.ones(3))
