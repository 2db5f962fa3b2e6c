"""Does the dream judge policies as the real game does: returns of the same policies in both, compared.

Returns are [..., P]: the last axis is the policies, any axes before it are bootstrap draws. Arguments are named,
because most of these figures change when dream and real are exchanged. Returns are normalised first (`normalised`): a
rank violation has the unit of the return.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from world_model.metrics.intervals import Floats

_SIMPLER_EPSILON = 1e-8


def normalised(returns: npt.ArrayLike, random: float, reference: float) -> Floats:
    """(return - random) / (reference - random): 0 is random play, 1 the reference; NaN where the two are the same.

    Example:
        >>> normalised([-21.0, 0.0, 21.0], random=-21, reference=21).tolist()
        [0.0, 0.5, 1.0]
    """
    span = reference - random
    return (np.asarray(returns, np.float64) - random) / (span if span else np.nan)


def return_error(*, dream: Floats, real: Floats) -> Floats:
    """Mean absolute difference.

    Example:
        >>> float(return_error(dream=np.array([0.0, 1.0]), real=np.array([0.5, 0.75])))
        0.375
    """
    return np.asarray(np.abs(dream - real).mean(axis=-1))


def optimism(*, dream: Floats, real: Floats) -> Floats:
    """Mean difference: above 0, the dream is too kind.

    Example:
        >>> float(optimism(dream=np.array([0.0, 1.0]), real=np.array([0.5, 0.75])))
        -0.125
    """
    return np.asarray((dream - real).mean(axis=-1))


def pearson(*, dream: Floats, real: Floats) -> Floats:
    """The correlation in SIMPLER's form: 1 where both are the same up to a constant, 0 where one alone is constant.

    Example:
        >>> round(float(pearson(dream=np.array([0.0, 1.0, 2.0]), real=np.array([1.0, 3.0, 5.0]))), 6)
        1.0
    """
    ours, theirs = (each - each.mean(axis=-1, keepdims=True) for each in (dream, real))
    scale = np.sqrt(np.square(ours).sum(axis=-1) * np.square(theirs).sum(axis=-1)) + _SIMPLER_EPSILON
    return np.where(np.isclose(ours, theirs).all(axis=-1), 1.0, (ours * theirs).sum(axis=-1) / scale)


def ranks(values: Floats) -> Floats:
    """Ranks from 1, the lowest, up; equal values share the mean of theirs.

    Example:
        >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    lower = (values[..., :, None] > values[..., None, :]).sum(axis=-1)
    equal = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    return np.asarray(lower + (equal + 1) / 2)


def spearman(*, dream: Floats, real: Floats) -> Floats:
    """The correlation of ranks; NaN where either side has one rank only, for then there is no order to agree with.

    Example:
        >>> float(spearman(dream=np.array([1.0, 2.0, 3.0]), real=np.array([1.0, 9.0, 5.0])))
        0.5
    """
    ours, theirs = (ranks(each) - (each.shape[-1] + 1) / 2 for each in (dream, real))
    scale = np.sqrt(np.square(ours).sum(axis=-1) * np.square(theirs).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((ours * theirs).sum(axis=-1) / np.where(scale > 0, scale, np.nan))


def mean_maximum_rank_violation(*, dream: Floats, real: Floats) -> Floats:
    """MMRV of SIMPLER: for each policy the largest real difference to one that the dream puts on its other side.

    Lower is better. A tie in the dream against a real difference is a violation, counted for the better of the two.

    Example:
        >>> float(mean_maximum_rank_violation(dream=np.array([1.0, 0.0]), real=np.array([0.0, 0.5])))
        0.5
    """
    above_real = real[..., :, None] > real[..., None, :]
    above_dream = dream[..., :, None] > dream[..., None, :]
    margin = np.abs(real[..., :, None] - real[..., None, :]) * (above_real != above_dream)
    return np.asarray(margin.max(axis=-1).mean(axis=-1))


def regret(*, dream: Floats, real: Floats, k: int) -> Floats:
    """How far the best of the dream's k favourites is, in reality, below the best; the worst case where the dream ties.

    On normalised returns: the best of a zoo has 1, so that this is Deep OPE's regret@k.

    Example:
        >>> float(regret(dream=np.array([3.0, 2.0, 1.0]), real=np.array([0.2, 1.0, 0.0]), k=1))
        0.8
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected 1 or more policies")
    favourites = np.lexsort((real, -dream), axis=-1)[..., :k]
    return np.asarray(real.max(axis=-1) - np.take_along_axis(real, favourites, axis=-1).max(axis=-1))


# ---- distributions of returns ----------------------------------------------------------------------------------------


def wasserstein(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Wasserstein-1 distance of two samples: the area between their distribution functions.

    Example:
        >>> wasserstein([0.0, 1.0], [1.0, 2.0])
        1.0
    """
    values, between = _steps(one, other)
    return float((np.abs(between[:-1]) * np.diff(values)).sum())


def kolmogorov_smirnov(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """The largest difference of two samples' distribution functions.

    Example:
        >>> kolmogorov_smirnov([0.0, 1.0], [1.0, 2.0])
        0.5
    """
    return float(np.abs(_steps(one, other)[1]).max())


def same_distribution(one: npt.ArrayLike, other: npt.ArrayLike, *, draws: int = 999, seed: int = 0) -> float:
    """The p value of the Kolmogorov-Smirnov distance if both samples were of one distribution, by permutation.

    Ties, which returns are full of, do it no harm.

    Example:
        >>> same_distribution([1.0] * 8, [2.0] * 8), same_distribution([1.0, 2.0], [1.0, 2.0])
        (0.001, 1.0)
    """
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    pooled, generator = np.concatenate([first, second]), np.random.default_rng(seed)
    observed, as_far = kolmogorov_smirnov(first, second), 1
    for _ in range(draws):
        mixed = generator.permutation(pooled)
        as_far += kolmogorov_smirnov(mixed[: len(first)], mixed[len(first) :]) >= observed - 1e-12
    return as_far / (draws + 1)


def _steps(one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Floats, Floats]:
    """All values in order, and by how much the distribution functions differ from each up to the next."""
    first, second = np.sort(np.asarray(one, np.float64)), np.sort(np.asarray(other, np.float64))
    if not (first.ndim == second.ndim == 1 and len(first) and len(second)):
        raise ValueError(f"samples have shapes {first.shape} and {second.shape}; expected [1 or more] each")
    values = np.unique(np.concatenate([first, second]))
    shares = [np.searchsorted(each, values, side="right") / len(each) for each in (first, second)]
    return values, shares[0] - shares[1]
