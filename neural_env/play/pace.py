"""When the next step is due."""

from __future__ import annotations

import time
from collections.abc import Callable

_SMOOTHING = 0.1  # weight of the newest interval in the measured rate


class Pace:
    """A fixed rate without drift, which never hurries to catch up, and what rate came of it.

    Example:
        >>> now = [0.0]
        >>> pace = Pace(fps=10, clock=lambda: now[0])
        >>> pace.wait(), pace.wait()
        (0.0, 0.1)
        >>> now[0] = 5.0
        >>> pace.wait(), round(pace.wait(), 9)
        (0.0, 0.1)
    """

    def __init__(self, fps: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.fps = fps
        self._clock = clock
        self._due = self._last = clock()
        self._interval = 1 / fps

    @property
    def measured(self) -> float:
        """Steps a second, lately."""
        return 1 / max(self._interval, 1e-3)

    def wait(self) -> float:
        """Seconds until the next step is due, which is then taken for granted."""
        now = self._clock()
        wait = max(0.0, self._due - now)
        begins = now + wait
        self._due = begins + 1 / self.fps
        self._interval += _SMOOTHING * (begins - self._last - self._interval)
        self._last = begins
        return wait
