"""Flickers taken out of latents, so that no dream has to draw them.

When Pong's score moves on, its old figure shines through the new one for one frame, in one of five cases: 4 and 5
make an 8. A world that learns to draw this hardly finds out of it, as it has seldom seen how, and an 8 may be meant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from world_model.metrics.intervals import Bools

_AT_ONCE = 4_000  # frames
_AROUND = 2  # frames before and after a flicker that must be still
_FEW = 128  # contents: a place of Pong's scores knows less than half as many, one in the field a thousand and more


def settle(latents_FND: npt.NDArray[Any], begins_F: Bools) -> int:
    """Put in the place of each flicker what comes after it; how many there were. An episode begins at some frames.

    A flicker stands for a single frame between two contents that are not alike and stay, where few are ever seen. What
    is seen for a moment and is gone again is none, nor is a paddle on its way.

    Example:
        >>> latents_FND = np.array([3.0, 3.0, 8.0, 4.0, 4.0]).reshape(5, 1, 1)
        >>> settle(latents_FND, np.arange(5) == 0), latents_FND.flatten().tolist()
        (1, [3.0, 3.0, 4.0, 4.0, 4.0])
    """
    few_N = _few_contents(latents_FND)
    count = 0
    for first in range(0, len(latents_FND), _AT_ONCE):
        rows = slice(max(0, first - _AROUND), first + _AT_ONCE + _AROUND)
        run_FND = np.array(latents_FND[rows][:, few_N])
        frame_Y, place_Y = _flickers(run_FND, begins_F[rows]).nonzero()
        latents_FND[rows.start + frame_Y, np.flatnonzero(few_N)[place_Y]] = run_FND[frame_Y + 1, place_Y]
        count += len(frame_Y)
    return count


def _flickers(run_FND: npt.NDArray[Any], begins_F: Bools) -> Bools:
    """[F, N]: where a content passes that neither was there before nor stays."""
    moved_FN = (run_FND[1:] != run_FND[:-1]).any(-1) | begins_F[1:, None]  # from frame f to frame f + 1
    passing_FN = np.zeros(run_FND.shape[:2], np.bool_)
    before, after = run_FND[1:-3], run_FND[3:-1]
    comes_and_goes_FN = moved_FN[1:-2] & moved_FN[2:-1] & ~moved_FN[:-3] & ~moved_FN[3:]
    within_F = ~begins_F[2:-2] & ~begins_F[3:-1]
    passing_FN[2:-2] = comes_and_goes_FN & (before != after).any(-1) & within_F[:, None]
    return passing_FN


def _few_contents(latents_FND: npt.NDArray[Any]) -> Bools:
    """[N]: the places at which hardly any different contents are seen."""
    seen = [set[bytes]() for _ in range(latents_FND.shape[1])]
    for first in range(0, len(latents_FND), _AT_ONCE):
        run_FND = np.array(latents_FND[first : first + _AT_ONCE])
        for place, contents in enumerate(seen):
            if len(contents) <= _FEW:
                run_FD = run_FND[:, place]
                changes_F = np.append(True, (run_FD[1:] != run_FD[:-1]).any(-1))
                contents.update(row.tobytes() for row in run_FD[changes_F])
    return np.array([len(contents) <= _FEW for contents in seen])
