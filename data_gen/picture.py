"""Frames as people look at them: enlarged with crisp pixels."""

from __future__ import annotations

import numpy as np

from data_gen.policy import Frames

_TARGET_HEIGHT = 336  # 84 x 4: large enough to see a two-pixel ball


def enlarge(frame: Frames) -> Frames:
    """`frame` [H, W, 3] with every pixel repeated, to a height of about 336.

    Example:
        >>> enlarge(np.zeros((84, 84, 3), np.uint8)).shape
        (336, 336, 3)
    """
    factor = max(1, _TARGET_HEIGHT // frame.shape[0])
    return np.repeat(np.repeat(frame, factor, axis=0), factor, axis=1)
