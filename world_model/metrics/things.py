"""Is a thing there, is it there once, and is it where the real one is.

A thing's position is [B, D] in pixels, NaN where it is absent. Every function gives a verdict per frame, so that its
share can be taken over episodes: `within(seen, real, radius=2).share(episodes)`.
"""

from __future__ import annotations

import numpy as np

from world_model.metrics.intervals import Bools, Floats, Ints, Verdict


def presence_recall(positions_BD: Floats, real_BD: Floats) -> Verdict:
    """It is there, where the real one is there.

    Example:
        >>> presence_recall(np.array([[np.nan], [5.0]]), np.array([[4.0], [5.0]])).share().value
        0.5
    """
    there_B, real_B = _both(positions_BD, real_BD)
    return Verdict(there_B, real_B)


def phantoms(positions_BD: Floats, real_BD: Floats) -> Verdict:
    """It is there, where there is no real one.

    Example:
        >>> phantoms(np.array([[np.nan], [5.0]]), np.array([[np.nan], [np.nan]])).share().value
        0.5
    """
    there_B, real_B = _both(positions_BD, real_BD)
    return Verdict(there_B, ~real_B)


def ghosts(how_many_B: Ints) -> Verdict:
    """There is more than one; every frame counts.

    Example:
        >>> ghosts(np.array([0, 1, 2, 1])).share().value
        0.25
    """
    return Verdict(how_many_B > 1, np.ones(len(how_many_B), np.bool_))


def within(positions_BD: Floats, real_BD: Floats, radius: float) -> Verdict:
    """It is at most `radius` pixels from the real one, where the real one is there; an absent one is not.

    Example:
        >>> within(np.array([[3.0, 4.0], [np.nan, np.nan]]), np.zeros((2, 2)), radius=5).holds.tolist()
        [True, False]
    """
    there_B, real_B = _both(positions_BD, real_BD)
    apart_B = np.sqrt(np.square(positions_BD - real_BD).sum(axis=1))
    return Verdict(there_B & real_B & (apart_B <= radius), real_B)


def _both(positions_BD: Floats, real_BD: Floats) -> tuple[Bools, Bools]:
    if positions_BD.shape != real_BD.shape or positions_BD.ndim != 2:
        raise ValueError(
            f"positions are {list(positions_BD.shape)} and {list(real_BD.shape)}; expected one shape [B, D]"
        )
    return _there(positions_BD), _there(real_BD)


def _there(positions_BD: Floats) -> Bools:
    unknown_BD = np.isnan(positions_BD)
    if (unknown_BD.any(axis=1) != unknown_BD.all(axis=1)).any():
        raise ValueError("a position has NaN in some coordinates only; a thing is there or it is not")
    return np.asarray(~unknown_BD.any(axis=1))
