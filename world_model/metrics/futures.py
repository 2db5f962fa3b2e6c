"""Whether several dreamt futures are as varied as the one that came, and about it.

One future was recorded; the dream gives several. The energy score rewards futures that are near the recorded one and as
far from each other as from it: a blurred mean of all that may come pays for being near nothing that does. The rank
says whether the recorded future could be one of them: it is as central among them as any, or not.
"""

from __future__ import annotations

import numpy as np

from world_model.metrics.intervals import Floats, Ints

_DRAWS = 5000  # of histograms that are flat but for chance


def energy_score(futures_MD: Floats, recorded_D: Floats) -> float:
    """The unbiased energy score, in the unit of the values: of 0, all are what was recorded; less is better.

    Example:
        >>> sharp, blurred = np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]])
        >>> energy_score(sharp, np.array([2.0])), energy_score(blurred, np.array([2.0]))
        (0.0, 1.0)
    """
    futures = len(futures_MD)
    if futures < 2:
        raise ValueError(f"{futures} futures; an energy score needs 2 or more")
    apart = _distances(futures_MD).sum() / (futures * (futures - 1))
    return float(np.linalg.norm(futures_MD - recorded_D, axis=1).mean() - apart / 2)


def central_rank(futures_MD: Floats, recorded_D: Floats, generator: np.random.Generator) -> int:
    """How many of the futures are more central than the recorded one, by their mean distance from all others.

    If the recorded one might as well be one of them, each rank from 0 to M is as likely. Ties are broken by chance.

    Example:
        >>> futures = np.array([[0.0], [1.0], [2.0]])
        >>> central_rank(futures, np.array([9.0]), np.random.default_rng(0))
        3
    """
    mean_distance = _distances(np.concatenate([recorded_D[None], futures_MD])).sum(axis=1)
    nearer = int((mean_distance[1:] < mean_distance[0]).sum())
    tied = int((mean_distance[1:] == mean_distance[0]).sum())
    return nearer + int(generator.integers(tied + 1))


def flatness(counts_R: Ints, seed: int = 0) -> float:
    """How often a flat histogram looks no flatter than this one, by chance; below 0.05, this one is not flat.

    Example:
        >>> flatness(np.array([10, 10, 10])), flatness(np.array([0, 0, 30]))
        (1.0, 0.0)
    """
    count, ranks = int(counts_R.sum()), len(counts_R)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(ranks, 1 / ranks), size=_DRAWS)
    unevenness = ((drawn - count / ranks) ** 2).sum(axis=1)
    return float((unevenness >= ((counts_R - count / ranks) ** 2).sum() - 1e-9).mean())


def _distances(points_XD: Floats) -> Floats:
    """Of each from each [X, X]."""
    return np.asarray(np.linalg.norm(points_XD[:, None] - points_XD[None], axis=-1))
