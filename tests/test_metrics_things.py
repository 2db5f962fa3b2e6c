"""A thing is there, is there once, and is where the real one is; a lost ball is a miss and never left out."""

from __future__ import annotations

import numpy as np
import pytest

from world_model.metrics.control import right_direction, same_place
from world_model.metrics.intervals import Floats
from world_model.metrics.things import ghosts, phantoms, presence_recall, within

_GONE = (np.nan, np.nan)


def _at(*places: tuple[float, float]) -> Floats:
    return np.array(places, np.float64)


_REAL = _at((10, 10), (20, 20), _GONE, (40, 40), _GONE)


def test_the_real_game_is_perfect() -> None:
    assert presence_recall(_REAL, _REAL).share().value == 1
    assert within(_REAL, _REAL, radius=0).share().value == 1
    assert phantoms(_REAL, _REAL).share().value == 0
    assert ghosts(np.array([1, 1, 0, 1, 0])).share().value == 0


def test_only_frames_with_a_real_ball_count_for_recall() -> None:
    verdict = presence_recall(_at((0, 0), _GONE, (1, 1), _GONE, _GONE), _REAL)
    assert verdict.counts.tolist() == [True, True, False, True, False]
    assert verdict.holds[verdict.counts].tolist() == [True, False, False]
    assert verdict.share().count == 3


def test_only_frames_without_a_real_ball_count_for_phantoms() -> None:
    verdict = phantoms(_at(_GONE, (0, 0), (1, 1), (2, 2), _GONE), _REAL)
    assert verdict.counts.tolist() == [False, False, True, False, True]
    assert verdict.share().value == 0.5


def test_a_second_ball_is_a_ghost_in_any_frame() -> None:
    verdict = ghosts(np.array([0, 1, 2, 3]))
    assert verdict.holds.tolist() == [False, False, True, True]
    assert verdict.counts.all()


def test_distance_is_straight_and_its_limit_belongs_to_it() -> None:
    """(1.2, 1.6) is 2 pixels away, (2, 2) is 2.83: each coordinate alone would be near enough."""
    places = _at((11.2, 11.6), (22, 22), (0, 0), (40, 38), _GONE)
    verdict = within(places, _REAL, radius=2)
    assert verdict.holds.tolist() == [True, False, False, True, False]
    assert verdict.counts.tolist() == [True, True, False, True, False]


def test_a_lost_ball_is_not_near() -> None:
    """Dropping frames in which the model lost its ball would reward losing it."""
    lost = within(_at((10, 10), _GONE, _GONE, _GONE, _GONE), _REAL, radius=2)
    assert (lost.share().value, lost.share().count) == (1 / 3, 3)


def test_half_a_position_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN in some coordinates only"):
        presence_recall(_at((1, np.nan)), _at((1, 1)))
    with pytest.raises(ValueError, match=r"positions are \[1, 2\] and \[2, 2\]; expected one shape \[B, D\]"):
        within(_at((1, 1)), _at((1, 1), (2, 2)), radius=1)


# ---- control ---------------------------------------------------------------------------------------------------------


def test_only_starts_from_which_the_twin_moves_count() -> None:
    """A paddle at the wall cannot tell whether anybody obeys; 2 pixels are enough."""
    verdict = right_direction(np.array([5.0, 5.0, -5.0]), np.array([2.0, 1.9, -2.0]))
    assert verdict.counts.tolist() == [True, False, True]
    assert verdict.share().value == 1


def test_the_wrong_way_not_at_all_and_lost_are_all_disobedience() -> None:
    verdict = right_direction(np.array([3.0, -3.0, 0.0, np.nan, 3.0]), np.array([3.0, 3.0, 3.0, 3.0, np.nan]))
    assert verdict.counts.tolist() == [True, True, True, True, False]
    assert verdict.holds.tolist() == [True, False, False, False, False]


def test_the_twin_obeys_itself_and_a_mirrored_one_never_does() -> None:
    moved = np.random.default_rng(0).normal(scale=10, size=200)
    assert right_direction(moved, moved).share().value == 1
    assert right_direction(-moved, moved).share().value == 0


def test_a_no_op_ends_within_two_pixels() -> None:
    verdict = same_place(np.array([10.0, 10.0, np.nan, 10.0]), np.array([12.0, 7.9, 10.0, np.nan]))
    assert verdict.counts.tolist() == [True, True, True, False]
    assert verdict.holds.tolist() == [True, False, False, False]


def test_other_shapes_of_distances_are_refused() -> None:
    with pytest.raises(ValueError, match=r"distances are \[2\] and \[1\]; expected \[B\] each"):
        right_direction(np.zeros(2), np.zeros(1))
