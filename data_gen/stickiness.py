"""Sticky actions, by the rule of ALE/*-v5: on each tick, with some probability, the previous tick's action stays.

The draws come from outside, so that twin and dream make the same ones from the same generator.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ticks = npt.NDArray[np.int64]


def stuck(actions: Ticks, repeats: npt.NDArray[np.bool_], previous: Ticks) -> Ticks:
    """Actions [...], in which of the ticks [..., T] the last one stays, and the last ones [...] -> executed [..., T].

    Example:
        >>> stuck(np.array(2), np.array([True, False, True, True]), np.array(0)).tolist()
        [0, 2, 2, 2]
    """
    executed = np.empty(repeats.shape, np.int64)
    for tick in range(repeats.shape[-1]):
        executed[..., tick] = previous = np.where(repeats[..., tick], previous, actions)
    return executed
