"""Two streams of windows by turns: long ones, and in other steps of training more and shorter ones.

A memory is learned from long windows, what happens at a moment from many short ones. Trained on one after the other, a
world forgets the first.
"""

from __future__ import annotations

import numpy as np

from data_gen.split_cache import WindowBatch
from data_gen.windows import Windows


class InTurns:
    """Steps of `batch` long windows, or, for a share of them, of as many steps in short ones; see `Source`.

    The length of the short ones has to be a divisor of that of the long ones. Which it is follows from the seed and the
    step of training: a stream goes on at any position.
    """

    def __init__(self, long: Windows, short: Windows, share: float, batch: int) -> None:
        self.times = long.length // short.length  # short windows for each long one
        self._long, self._short, self._share, self._batch = long, short, share, batch

    def batch(self, position: int, size: int) -> WindowBatch:
        """Windows number position .. position + size - 1, or the short ones in their place; all of one step."""
        step = position // self._batch
        if np.random.default_rng([self._long.seed, step]).random() < self._share:
            return self._short.batch(position * self.times, size * self.times)
        return self._long.batch(position, size)
