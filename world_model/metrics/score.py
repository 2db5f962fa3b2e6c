"""The score in the picture and the rewards: one moves with the other, and games end where they must.

Series are aligned to the frames of one lane: entry t is the score read from frame t, the reward of the step that led to
it, whether that step ended the game, and whether frame t is instead the first of a new game, to which no step led.

The real game sets the terms. It shows a point up to one step after its reward, and a frame that pools the ticks before
and after shows both numbers on top of each other: 6 and 7 make an 8. So a score that cannot be read (-1), and one that
stands for a single frame between two others, is taken to be the one before. The last point of a game is never shown:
rewards are not judged whose point would come after the last frame but one, nor points whose reward would lie before the
first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from world_model.metrics.events import match_steps
from world_model.metrics.intervals import Bools, Ints, Verdict

_SIDES = (1, -1)  # the reward of a point of one's own, of the other's


@dataclass(frozen=True)
class ScoreReading:
    """What became of the rewards, the scores and the games of one lane."""

    follows: Verdict  # [T], at rewards: the right score went up by one, and nothing else changed
    phantoms: Bools  # [T], changes of a score without a reward
    ends: Verdict  # [G], of games that ended, and of games that should have


def read_score(
    own_T: Ints,
    other_T: Ints,
    rewards_T: npt.NDArray[Any],
    terminated_T: Bools,
    restarted_T: Bools,
    tolerance: int,
    points: int = 21,
) -> ScoreReading:
    """Whether scores, rewards and ends belong together.

    A reward of +1 and a point of one's own belong together if they are at most `tolerance` steps apart, one point to
    one reward. A game has to end when a side has `points`, and only then: at most `tolerance` steps after the reward
    that makes them so many, or after they are shown.

    Example:
        >>> own, other = np.array([20, 20, 20, 20, 0]), np.array([7, 7, 8, 8, 0])
        >>> rewards, step = np.array([0, -1, 0, 1, 0]), np.arange(5)
        >>> reading = read_score(own, other, rewards, step == 3, step == 4, tolerance=1)
        >>> reading.follows.share().value, int(reading.phantoms.sum()), reading.ends.share().value
        (1.0, 0, 1.0)
    """
    _check(own_T, other_T, rewards_T, terminated_T, restarted_T)
    firsts = np.flatnonzero(restarted_T | (np.arange(len(own_T)) == 0))
    games = [
        _Game.read(np.stack([own_T, other_T], axis=1)[first:end], rewards_T[first:end], tolerance)
        for first, end in pairwise([*firsts.tolist(), len(own_T)])
    ]
    ended_G = terminated_T[np.append(firsts[1:], len(own_T)) - 1] if games else np.empty(0, np.bool_)
    overdue_G = np.array([game.lasted_after(points) > tolerance for game in games], np.bool_)
    complete_G = np.array([game.final_score().count(points) == 1 for game in games], np.bool_)
    return ScoreReading(
        follows=Verdict(_joined([game.follows() for game in games]), _joined([game.judged() for game in games])),
        phantoms=_joined([game.phantoms() for game in games]),
        ends=Verdict(ended_G & complete_G & ~overdue_G, ended_G | overdue_G),
    )


@dataclass(frozen=True)
class _Game:
    """One game of T frames, its points matched with its rewards."""

    shown: Ints  # [T, 2], own and other score
    rewards: npt.NDArray[Any]  # [T]
    answered: Bools  # [T], rewards whose point was shown
    unexplained: Bools  # [T], changes that are no point, and points without a reward
    tolerance: int

    @classmethod
    def read(cls, scores_T2: Ints, rewards_T: npt.NDArray[Any], tolerance: int) -> _Game:
        shown_T2 = np.stack([_settled(score_T) for score_T in scores_T2.T], axis=1)
        change_T2 = np.diff(shown_T2, axis=0, prepend=shown_T2[:1])
        answered_T = np.zeros(len(rewards_T), np.bool_)
        unexplained_T = np.asarray(change_T2.any(axis=1))
        for reward, point in zip(_SIDES, ((1, 0), (0, 1)), strict=True):
            rewarded, scored = np.flatnonzero(rewards_T == reward), np.flatnonzero((change_T2 == point).all(axis=1))
            pairs_N2 = match_steps(rewarded, scored, tolerance)
            answered_T[pairs_N2[:, 0]] = True
            unexplained_T[pairs_N2[:, 1]] = False
        return cls(shown_T2, rewards_T, answered_T, unexplained_T, tolerance)

    def follows(self) -> Bools:
        """Rewards whose point was shown, with nothing unexplained around them."""
        spread_N = np.convolve(self.unexplained, np.ones(2 * self.tolerance + 1))
        return np.asarray(self.answered & (spread_N[self.tolerance :][: len(self.rewards)] == 0))

    def judged(self) -> Bools:
        """Rewards whose point had time to appear."""
        return np.asarray((self.rewards != 0) & ~self._late())

    def phantoms(self) -> Bools:
        """Unexplained changes whose reward cannot lie before the game's first frame."""
        return np.asarray(self.unexplained & (np.arange(len(self.rewards)) > self.tolerance))

    def final_score(self) -> list[int]:
        """The score shown last, and the points that came too late to be shown."""
        pending_T = self._late() & ~self.answered
        pending = [int(np.count_nonzero(pending_T & (self.rewards == reward))) for reward in _SIDES]
        return [int(shown) + late for shown, late in zip(self.shown[-1], pending, strict=True)]

    def lasted_after(self, points: int) -> int:
        """How many steps the game went on after a side was shown or given so many points."""
        last = len(self.rewards) - 1
        given_T2 = self.shown[np.minimum(np.arange(last + 1) + self.tolerance, last)] + ~self.answered[:, None]
        rewarded_T2 = self.rewards[:, None] == _SIDES
        reached = np.flatnonzero(((self.shown >= points) | (rewarded_T2 & (given_T2 >= points))).any(axis=1))
        return last - int(reached[0]) if len(reached) else 0

    def _late(self) -> Bools:
        """The steps whose point, at its latest, would not be there for two frames."""
        return np.arange(len(self.rewards)) + self.tolerance >= len(self.rewards) - 1


def _settled(score_T: Ints) -> Ints:
    """What the score is, from what is read: without what cannot be read, and without two numbers in one."""
    readable = np.flatnonzero(score_T >= 0)
    if len(readable) == 0:
        return score_T
    latest_T = np.searchsorted(readable, np.arange(len(score_T)), side="right") - 1
    score_T = score_T[readable[np.maximum(latest_T, 0)]]
    before_T, after_T = np.append(score_T[:1], score_T[:-1]), np.append(score_T[1:], -1)
    passing_T = (score_T != before_T) & (score_T != after_T) & (before_T != after_T)
    return np.where(passing_T, before_T, score_T)


def _joined(parts: list[Bools]) -> Bools:
    return np.concatenate([np.empty(0, np.bool_), *parts])


def _check(own_T: Ints, other_T: Ints, rewards_T: npt.NDArray[Any], terminated_T: Bools, restarted_T: Bools) -> None:
    shapes = [list(each.shape) for each in (own_T, other_T, rewards_T, terminated_T, restarted_T)]
    if any(shape != shapes[0] for shape in shapes) or own_T.ndim != 1:
        raise ValueError(f"series are {shapes}; expected one shape [T]")
    if not np.isin(rewards_T, (0, *_SIDES)).all():
        raise ValueError(f"rewards are {np.unique(rewards_T).tolist()}; expected -1, 0 and 1 only")
    if (rewards_T[restarted_T] != 0).any():
        raise ValueError("a game's first frame has a reward; no step led to it")
    if (terminated_T[:-1] & ~restarted_T[1:]).any():
        raise ValueError("a game goes on after its end; the frame after an end must be the first of a new game")
