"""The seam between whoever acts and whoever steps: `Policy`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Actions = npt.NDArray[np.int64]
Lanes = npt.NDArray[np.int64]


class Policy(Protocol):
    """Actions for a batch of games, each in a lane of its own.

    A policy keeps whatever it remembers (a frame stack, a generator) per lane, so that a lane's actions depend on
    that lane's seed and frames alone.
    """

    def __call__(self, frames: Frames, lanes: Lanes) -> Actions:
        """Frames uint8 [B, H, W, 3] of the lanes int64 [B] -> actions int64 [B]."""
        ...

    def reset(self, lanes: Lanes, seeds: npt.NDArray[np.int64]) -> None:
        """New games begin in `lanes` [B]; everything random in lane i is drawn from seeds[i]."""
        ...
