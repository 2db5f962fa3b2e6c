"""The score in the picture moves with the rewards, one to one, and a game ends at 21 and only there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from world_model.metrics.intervals import Bools, Ints
from world_model.metrics.score import ScoreReading, read_score

_GAP = 10  # steps between points


@dataclass(frozen=True)
class Lane:
    """What a lane showed and emitted."""

    own: Ints
    other: Ints
    rewards: Ints
    terminated: Bools
    restarted: Bools

    def read(self, tolerance: int = 1) -> ScoreReading:
        return read_score(self.own, self.other, self.rewards, self.terminated, self.restarted, tolerance)

    def but(self, **changes: dict[int, int]) -> Lane:
        """With other values at some steps of some series."""
        changed = {name: getattr(self, name).copy() for name in changes}
        for name, values in changes.items():
            changed[name][list(values)] = list(values.values())
        return replace(self, **changed)


def _game(*rewards: int, start: tuple[int, int] = (0, 0), lag: int = 1, over: bool = True) -> Lane:
    """A game with a reward every ten steps; its points are shown `lag` steps later, the last one never."""
    steps = _GAP * len(rewards) + 1
    emitted = np.zeros(steps, np.int64)
    emitted[_GAP::_GAP] = rewards
    shown = np.concatenate([np.zeros(lag, np.int64), emitted])[:steps]
    if over:
        shown[-1] = 0
    first, last = np.arange(steps) == 0, np.arange(steps) == steps - 1
    own, other = (start[side] + np.cumsum(shown == reward) for side, reward in enumerate((1, -1)))
    return Lane(own, other, emitted, last & over, first)


def _after(*games: Lane) -> Lane:
    return Lane(**{name: np.concatenate([getattr(game, name) for game in games]) for name in vars(games[0])})


# Four points each, and then the one that ends it.
_REAL = _game(1, -1, 1, 1, -1, 1, start=(17, 3))


def _points(reading: ScoreReading) -> list[bool]:
    return [bool(holds) for holds in reading.follows.holds[reading.follows.counts]]


# ---- points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 1])
def test_the_real_game_is_perfect(lag: int) -> None:
    reading = _after(_game(*[-1] * 21, lag=lag), _game(*[1, -1] * 20, 1, lag=lag), _game(-1, over=False)).read()
    # 21 + 41 + 1 rewards, but for the last of each game and that of the lane, whose point nobody sees.
    assert _points(reading) == [True] * 60
    assert not reading.phantoms.any()
    assert reading.ends.holds[reading.ends.counts].tolist() == [True, True]
    assert reading.ends.counts.tolist() == [True, True, False]


@pytest.mark.parametrize(("lag", "tolerance", "follows"), [(0, 0, True), (1, 0, False), (2, 1, False), (2, 2, True)])
def test_a_point_may_come_so_late_and_no_later(lag: int, tolerance: int, follows: bool) -> None:
    reading = _game(1, -1, 1, lag=lag, over=False).read(tolerance)
    assert _points(reading) == [follows] * 2
    assert reading.phantoms.any() != follows


def test_a_reward_without_a_point_is_seen() -> None:
    reading = _REAL.but(rewards={15: 1}).read()
    assert _points(reading) == [True, False, True, True, True, True]
    assert not reading.phantoms.any()
    assert reading.ends.share().value == 1  # at 21 in the picture, as it must


def test_a_point_without_a_reward_is_seen() -> None:
    reading = _REAL.but(rewards={20: 0}).read()
    assert _points(reading) == [True] * 4
    assert np.flatnonzero(reading.phantoms).tolist() == [21]


def test_a_point_for_the_wrong_side_is_seen() -> None:
    reading = _REAL.but(rewards={20: 1}).read()
    assert _points(reading) == [True, False, True, True, True]
    assert np.flatnonzero(reading.phantoms).tolist() == [21]


def test_two_rewards_for_one_point_are_seen() -> None:
    assert _points(_REAL.but(rewards={21: -1}).read()).count(False) == 1


def test_nothing_else_may_change_with_a_point() -> None:
    """The other side's score goes up a step after one's own, without a reward."""
    lane = replace(_REAL, other=_REAL.other + (np.arange(len(_REAL.other)) >= 32))
    reading = lane.read(tolerance=2)
    assert _points(reading) == [True, True, False, True, True]
    assert np.flatnonzero(reading.phantoms).tolist() == [32]


@pytest.mark.parametrize("jump", [2, -1])
def test_a_score_goes_up_by_one(jump: int) -> None:
    lane = replace(_REAL, own=_REAL.own + (jump - 1) * (np.arange(len(_REAL.own)) >= 31))
    assert _points(lane.read()) == [True, True, False, True, True]


def test_a_new_game_is_no_change_of_score() -> None:
    assert not _after(_REAL, _game(1, 1, over=False)).read().phantoms.any()


def test_two_numbers_in_one_frame_are_the_one_before() -> None:
    """6 and 7 over each other are read as an 8: the real game shows that between two scores, for one frame."""
    reading = _REAL.but(other={20: 8}).read()
    assert _points(reading) == [True] * 5
    assert not reading.phantoms.any()


def test_a_flickering_score_is_seen() -> None:
    """One frame with another number and back again: no point does that."""
    reading = _REAL.but(other={25: 8}).read()
    assert np.flatnonzero(reading.phantoms).tolist() == [25, 26]


def test_an_unreadable_score_is_the_last_one_that_could_be_read() -> None:
    assert _points(_REAL.but(own={0: -1, 1: -1, 15: -1, 31: -1}).read(tolerance=2)) == [True] * 5
    lost = _REAL.but(own=dict.fromkeys(range(28, 38), -1)).read()
    assert _points(lost) == [True, True, False, True, True]
    assert np.flatnonzero(lost.phantoms).tolist() == [38]


def test_a_lane_may_begin_within_a_game_and_between_a_reward_and_its_point() -> None:
    """Cut so that the point of a reward before the cut is shown in the second frame."""
    later = Lane(**{name: getattr(_REAL, name)[20:] for name in vars(_REAL)}).but(rewards={0: 0})
    assert later.own[1] + later.other[1] == later.own[0] + later.other[0] + 1
    reading = later.read()
    assert _points(reading) == [True] * 3
    assert not reading.phantoms.any()
    assert reading.ends.share().value == 1


# ---- ends ------------------------------------------------------------------------------------------------------------


def _ends(lane: Lane) -> list[bool]:
    ends = lane.read().ends
    return [bool(holds) for holds in ends.holds[ends.counts]]


def test_a_game_that_ends_too_early_is_seen() -> None:
    assert _ends(_game(1, 1, start=(18, 0))) == [False]


def test_a_game_that_goes_on_is_seen_whether_or_not_it_ever_ends() -> None:
    for over in (True, False):
        assert _ends(_game(1, -1, start=(20, 5), over=over)) == [False]


def test_a_game_that_goes_on_without_showing_its_last_point_is_seen() -> None:
    """No recording has a frame with 21, so that a dream may well stay at 20."""
    lane = _game(1, -1, start=(20, 5), over=False)
    assert _ends(replace(lane, own=np.full_like(lane.own, 20))) == [False]
    assert _ends(replace(lane, own=np.full_like(lane.own, 19))) == []


def test_a_game_that_shows_21_and_goes_on_is_seen_even_without_a_reward() -> None:
    for over in (True, False):
        lane = _game(-1, -1, start=(20, 5), over=over)
        assert _ends(replace(lane, own=lane.own + (np.arange(len(lane.own)) >= 5))) == [False]


def test_both_sides_cannot_have_21() -> None:
    assert _ends(_game(1, start=(20, 20))) == [True]
    assert _ends(_game(1, start=(20, 20)).but(other={_GAP - 1: 21, _GAP: 21})) == [False]


def test_the_point_that_ends_the_game_may_be_shown_for_a_step() -> None:
    """The real game never shows it; a dream that does is no worse, if it then ends."""
    assert _ends(_game(1, start=(20, 5)).but(own={_GAP: 21})) == [True]
    for first, wait, ends in ((20, 1, True), (21, 1, True), (20, 2, False)):
        nothing, last = np.zeros(wait, np.int64), np.arange(wait) == wait - 1
        tail = Lane(nothing + 21, nothing + 5, nothing, last, nothing != 0)
        before = _game(1, start=(20, 5), over=False).but(own={_GAP: first})
        assert _ends(_after(before, tail)) == [ends]


def test_a_game_that_is_cut_off_is_not_judged() -> None:
    assert _ends(_after(_game(1, 1, over=False), _game(1, over=False))) == []


def test_a_score_that_cannot_be_read_is_no_21() -> None:
    lane = _game(1, start=(20, 5))
    assert _ends(replace(lane, own=np.full_like(lane.own, -1))) == [False]


# ---- the border ------------------------------------------------------------------------------------------------------


def test_wrong_series_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rewards are \[0, 5\]; expected -1, 0 and 1 only"):
        _game(0, 5).read()
    with pytest.raises(ValueError, match="a game's first frame has a reward"):
        _REAL.but(rewards={0: 1}).read()
    with pytest.raises(ValueError, match="a game goes on after its end"):
        _REAL.but(terminated={5: 1}).read()
    with pytest.raises(ValueError, match=r"series are \[\[61\], \[61\], \[60\], \[61\], \[61\]\]; expected one shape"):
        replace(_REAL, rewards=_REAL.rewards[1:]).read()


def test_an_empty_lane_has_no_games() -> None:
    none = Lane(**{name: getattr(_REAL, name)[:0] for name in vars(_REAL)}).read()
    assert len(none.ends.holds) == len(none.follows.holds) == 0
