"""The noise of one training step: a function of the seed and the step, the same on one process or on many."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Draws:
    """This process's rows of what all rows of a step draw.

    Each call draws for all rows and keeps some: however the rows are split over processes and micro-batches, each
    sees the same noise, as long as the calls, their order and their shapes do not depend on the rows. No generator
    outlives the step, so a checkpoint need not hold one.

    Example:
        >>> whole = Draws(seed=0, step=7, first_row=0, rows=4, total_rows=4)
        >>> second_half = Draws(seed=0, step=7, first_row=2, rows=2, total_rows=4)
        >>> bool((whole.normal(3)[2:] == second_half.normal(3)).all())
        True
    """

    def __init__(
        self,
        seed: int,
        step: int,
        first_row: int,
        rows: int,
        total_rows: int,
        device: torch.device | str = "cpu",
    ) -> None:
        if not 0 <= first_row <= first_row + rows <= total_rows:
            raise ValueError(f"rows {first_row} .. {first_row + rows - 1} are not among {total_rows}")
        self.rows = rows
        self.device = torch.device(device)
        self._mine = slice(first_row, first_row + rows)
        self._total_rows = total_rows
        self._seed, self._step = seed, step
        # Always on the CPU: a GPU's generator gives other numbers. Torch's CPU generator uses the low 32 bits of its
        # seed only, hence the hash: neighbouring seeds and steps must not share them.
        self._generator = torch.Generator().manual_seed(_hashed(seed, step))

    def for_rows(self, rows: int) -> Draws:
        """The same step's, where each of its rows is that many of `rows`; to be asked for before anything is drawn."""
        times = rows // self.rows
        first, total = self._mine.start * times, self._total_rows * times
        return Draws(self._seed, self._step, first, rows, total, self.device)

    def normal(self, *tail: int) -> Tensor:
        """Standard normal, float32 [rows, *tail]."""
        return self._kept(torch.randn(self._total_rows, *tail, generator=self._generator))

    def uniform(self, *tail: int) -> Tensor:
        """Uniform in [0, 1), float32 [rows, *tail]."""
        return self._kept(torch.rand(self._total_rows, *tail, generator=self._generator))

    def integers(self, high: int, *tail: int) -> Tensor:
        """Uniform among 0 .. high - 1, int64 [rows, *tail]."""
        return self._kept(torch.randint(high, (self._total_rows, *tail), generator=self._generator))

    def coin(self, probability: float) -> bool:
        """One toss for the whole step, the same on every process."""
        return bool(torch.rand((), generator=self._generator) < probability)

    def _kept(self, all_rows: Tensor) -> Tensor:
        return all_rows[self._mine].to(self.device)


def _hashed(seed: int, step: int) -> int:
    """63 well-mixed bits."""
    return int(np.random.SeedSequence(seed, spawn_key=(step,)).generate_state(1, np.uint64)[0] >> 1)
