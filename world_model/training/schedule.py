"""How large a step the optimizer takes: a linear warm-up, then half a cosine down to a floor."""

from __future__ import annotations

import math


def progress(step: int, steps: int, seconds: float, minutes: float | None) -> float:
    """The share of a run that is behind it: by steps, or by its wall-clock budget where that is further.

    Example:
        >>> progress(step=10, steps=100, seconds=30.0, minutes=None)
        0.1
        >>> progress(step=10, steps=100, seconds=30.0, minutes=1.0)
        0.5
    """
    by_clock = 0.0 if minutes is None else seconds / (60 * minutes)
    return min(1.0, max(step / steps, by_clock))


def rate_scale(step: int, progress: float, warmup: int, floor: float) -> float:
    """The share of the peak learning rate that step number `step` uses.

    Warm-up counts steps even where the clock decides the end: it is there for the optimizer's averages, which need
    steps, not time.

    Example:
        >>> [round(rate_scale(step, step / 100, warmup=10, floor=0.1), 2) for step in (0, 9, 50, 100)]
        [0.1, 0.98, 0.55, 0.1]
    """
    warm = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return warm * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)
