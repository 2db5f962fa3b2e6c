"""A dead lane is found, at the step it died, and a living one is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from world_model.metrics.intervals import Bools
from world_model.metrics.lanes import Death, Limits, first_death, lasts_longer

_LIMITS = Limits(still=10, blank=0, no_ball=20, unreadable=5)
_STEPS = 100
_ALIVE = Death(still=None, blank=None, no_ball=None, unreadable=None)


def _but(value: bool, first: int, count: int) -> Bools:
    """`value` everywhere but for `count` steps."""
    series = np.full(_STEPS, value)
    series[first : first + count] = not value
    return series


_ALWAYS, _NEVER = _but(True, 0, 0), _but(False, 0, 0)


@pytest.mark.parametrize(("cause", "limit"), [("still", 10), ("blank", 0), ("no_ball", 20), ("unreadable", 5)])
def test_each_death_is_found_one_step_after_its_limit_and_not_before(cause: str, limit: int) -> None:
    """As long as it may last is alive; a step more is dead, and none of the other detectors fires."""
    for extra, death in ((0, _ALIVE), (1, replace(_ALIVE, **{cause: 30 + limit}))):
        changed, blank, ball, readable = (
            _but(usual, 30, limit + extra if cause == name else 0)
            for usual, name in ((True, "still"), (False, "blank"), (True, "no_ball"), (True, "unreadable"))
        )
        assert first_death(changed, blank, ball, readable, _LIMITS) == death
        assert death.step == (30 + limit if extra else None)


def test_the_first_of_several_deaths_is_the_lanes() -> None:
    death = first_death(_but(True, 50, 50), _NEVER, _but(True, 10, 90), _ALWAYS, _LIMITS)
    assert (death.still, death.no_ball, death.step) == (60, 30, 30)


def test_short_gaps_do_not_add_up() -> None:
    flickering = np.arange(_STEPS) % 20 == 0  # a ball in every twentieth frame
    assert first_death(_ALWAYS, _NEVER, flickering, _ALWAYS, _LIMITS) == _ALIVE


def test_a_lane_that_is_dead_from_its_first_step_is_found() -> None:
    assert lasts_longer(_ALWAYS, 0) == 0
    assert lasts_longer(_ALWAYS, 99) == 99
    assert lasts_longer(_ALWAYS, 100) is None
    assert lasts_longer(np.empty(0, np.bool_), 0) is None


def test_a_death_at_step_0_is_a_death() -> None:
    assert replace(_ALIVE, blank=0).step == 0


def test_series_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"series are \[\[100\], \[100\], \[99\], \[100\]\]; expected one shape"):
        first_death(_ALWAYS, _NEVER, _ALWAYS[1:], _ALWAYS, _LIMITS)
