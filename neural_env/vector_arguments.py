"""What is handed to many lanes at once, checked: masks, seeds, actions. Nothing is rounded, stretched or guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.utils import seeding

from data_gen.actions import InvalidAction, checked_action
from data_gen.policy import Actions
from neural_env.vector_infos import Mask

Seeded = tuple[np.random.Generator, int]  # a generator and what it was seeded with


def checked_mask(mask: Any, lanes: int) -> Mask:
    """The lanes to reset, of which there is at least one.

    Example:
        >>> checked_mask(np.array([True, False]), 2).tolist()
        [True, False]
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = f"an array of {mask.dtype}" if isinstance(mask, np.ndarray) else f"a {type(mask).__name__}"
        raise TypeError(f"reset_mask is {found}; expected an array of bool")
    if mask.shape != (lanes,) or not mask.any():
        raise ValueError(
            f"reset_mask has shape {mask.shape} with {mask.sum()} lanes to reset; expected shape ({lanes},) with at "
            "least one"
        )
    return mask


def seeded_generators(seed: Any, lanes: int) -> list[Seeded | None]:
    """A new generator for each lane that gets a seed: lane i from `seed + i`, or from entry i of a list.

    Example:
        >>> [seeded and seeded[1] for seeded in seeded_generators([7, None], 2)]
        [7, None]
    """
    if isinstance(seed, (int, np.integer)):
        seeds: list[Any] = [int(seed) + lane for lane in range(lanes)]
    else:
        seeds = [None] * lanes if seed is None else list(seed)
    if len(seeds) != lanes:
        raise ValueError(f"{len(seeds)} seeds; expected {lanes}, one for each lane")
    return [None if each is None else seeding.np_random(each) for each in seeds]


def checked_actions(actions: Any, running: Mask, count: int) -> Actions:
    """One action below `count` for each lane that runs; what is said to the others does not matter.

    Example:
        >>> checked_actions([2, -7], np.array([True, False]), 3).tolist()
        [2, 0]
    """
    if np.ndim(actions) != 1 or len(actions) != len(running):
        raise InvalidAction(f"actions have shape {np.shape(actions)}; expected ({len(running)},), one for each lane")
    if not (isinstance(actions, np.ndarray) and actions.dtype.kind in "iu"):
        pairs = zip(actions, running, strict=True)
        return np.array([checked_action(action, count) if runs else 0 for action, runs in pairs], np.int64)
    wrong = running & ((actions < 0) | (actions >= count))
    if wrong.any():
        lane = int(wrong.argmax())
        raise InvalidAction(f"action {actions[lane]} of lane {lane}; expected an integer from 0 to {count - 1}")
    return np.where(running, actions, 0).astype(np.int64)
