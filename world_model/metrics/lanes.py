"""When a lane died: a long closed-loop dream that froze, went blank, lost its ball or its scores.

Each detector is given what was seen at every step and how long that may last, and says at which step it had lasted
longer. New games do not start it afresh: a lane that dies in every game is dead. Dead lanes are counted, not averaged.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from world_model.metrics.intervals import Bools


@dataclass(frozen=True)
class Limits:
    """For how many steps in a row each may last; the real game's longest is a lower bound."""

    still: int  # no pixel changes
    blank: int  # nothing above the background
    no_ball: int
    unreadable: int  # at least one score is no number


@dataclass(frozen=True)
class Death:
    """The first step, from 0, at which each had lasted for too long; None where it never had."""

    still: int | None
    blank: int | None
    no_ball: int | None
    unreadable: int | None

    @property
    def step(self) -> int | None:
        """The first step at which the lane was dead in any way; None for a living one."""
        return min((step for step in astuple(self) if step is not None), default=None)


def first_death(changed_T: Bools, blank_T: Bools, ball_T: Bools, readable_T: Bools, limits: Limits) -> Death:
    """When the lane died, and of what.

    Args:
        changed_T: whether any pixel differs from the frame before.
        blank_T: whether nothing is above the background.
        ball_T: whether there is a ball.
        readable_T: whether all scores can be read.
        limits: for how long it may last.

    Example:
        >>> yes = np.ones(5, bool)
        >>> ball = np.array([True, False, False, False, True])
        >>> first_death(yes, ~yes, ball, yes, Limits(still=2, blank=0, no_ball=2, unreadable=2))
        Death(still=None, blank=None, no_ball=3, unreadable=None)
    """
    shapes = [list(each.shape) for each in (changed_T, blank_T, ball_T, readable_T)]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"series are {shapes}; expected one shape [T]")
    return Death(
        still=lasts_longer(~changed_T, limits.still),
        blank=lasts_longer(blank_T, limits.blank),
        no_ball=lasts_longer(~ball_T, limits.no_ball),
        unreadable=lasts_longer(~readable_T, limits.unreadable),
    )


def lasts_longer(true_T: Bools, steps: int) -> int | None:
    """The first step at which it has been true for more than `steps` steps in a row, that one included.

    Example:
        >>> lasts_longer(np.array([True, False, True, True]), 1), lasts_longer(np.array([True, False]), 1)
        (3, None)
    """
    time_T = np.arange(len(true_T))
    last_false_T = np.maximum.accumulate(np.where(true_T, -1, time_T))
    too_long = np.flatnonzero(time_T - last_false_T > steps)
    return int(too_long[0]) if len(too_long) else None
