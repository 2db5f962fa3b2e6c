"""Does the thing obey: the same action held from the same moment, in the model and in the replayed twin.

How far a thing moved is its place after minus its place before, NaN where it was absent at either time. Where the
twin's own is absent nothing is known and the start does not count; where only the model's is, it did not obey.
"""

from __future__ import annotations

import math

import numpy as np

from world_model.metrics.intervals import Floats, Verdict
from world_model.metrics.things import within

MOVES = 2.0  # pixels


def right_direction(moved_B: Floats, real_moved_B: Floats, least: float = MOVES) -> Verdict:
    """It moved the way the twin's moved; starts count from which the twin's moved at least so many pixels.

    Example:
        >>> obeys = right_direction(np.array([3.0, 1.0, 0.0]), np.array([4.0, -4.0, 1.0]))
        >>> obeys.holds.tolist(), obeys.counts.tolist()
        ([True, False, False], [True, True, False])
    """
    if moved_B.shape != real_moved_B.shape or moved_B.ndim != 1:
        raise ValueError(f"distances are {list(moved_B.shape)} and {list(real_moved_B.shape)}; expected [B] each")
    # A NaN compares as false on both sides: it obeys nobody and does not count.
    return Verdict(moved_B * real_moved_B > 0, np.abs(real_moved_B) >= least)


def same_place(y_B: Floats, real_y_B: Floats, radius: float = MOVES) -> Verdict:
    """It ends at most `radius` pixels from the twin's: what a no-op must do.

    Example:
        >>> same_place(np.array([10.0, 20.0]), np.array([11.0, 25.0])).share().value
        0.5
    """
    return within(y_B[:, None], real_y_B[:, None], radius)


def macro_f1(confusion_AA: Floats) -> float:
    """The mean over classes of their F1, from how often [true, read] came; classes that never came are left out.

    The mean over classes, because idle steps are most of what there is and would rule any other.

    Example:
        >>> macro_f1(np.array([[8.0, 0.0], [1.0, 1.0]])) == (16 / 17 + 2 / 3) / 2
        True
    """
    came_A = confusion_AA.sum(axis=1)
    hits_A = 2 * np.diag(confusion_AA) / np.maximum(came_A + confusion_AA.sum(axis=0), 1)
    return float(hits_A[came_A > 0].mean()) if came_A.any() else math.nan
