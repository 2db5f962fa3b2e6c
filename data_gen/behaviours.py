"""Behaviours that need no learning: what recordings mix with trained policies, so that all mistakes are in the data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_gen.policy import Actions, Frames, Lanes


class RandomHold:
    """A random action, held for a random time: it reaches places that step-by-step randomness never does.

    Example:
        >>> policy = RandomHold(num_actions=6)
        >>> policy.reset(np.arange(2), np.array([0, 1]))
        >>> policy(np.zeros((2, 84, 84, 3), np.uint8), np.arange(2)).shape
        (2,)
    """

    def __init__(self, num_actions: int, longest: int = 16) -> None:
        self._num_actions = num_actions
        self._longest = longest  # steps
        self._generators: dict[int, np.random.Generator] = {}
        self._held: dict[int, tuple[int, int]] = {}  # lane -> action, steps left

    def reset(self, lanes: Lanes, seeds: npt.NDArray[np.int64]) -> None:
        """New games begin in `lanes`."""
        for lane, seed in zip(lanes.tolist(), seeds.tolist(), strict=True):
            self._generators[lane] = np.random.default_rng(seed)
            self._held[lane] = (0, 0)

    def __call__(self, frames: Frames, lanes: Lanes) -> Actions:
        """Frames are not looked at."""
        return np.array([self._next(lane) for lane in lanes.tolist()], np.int64)

    def _next(self, lane: int) -> int:
        action, left = self._held[lane]
        if left == 0:
            generator = self._generators[lane]
            action, left = int(generator.integers(self._num_actions)), int(generator.integers(1, self._longest + 1))
        self._held[lane] = (action, left - 1)
        return action
