"""Track A: do dream and reality give the same policies the same returns, and the same ranks.

Figures are drawn by a nested bootstrap. The floor is the real game against itself, played anew from the same starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from evaluation.gap_report.contestants import Contestant
from evaluation.gap_report.episodes import JUDGED, Table
from evaluation.gap_report.metric import Cases, Findings, Metric, measured
from evaluation.gap_report.normalised_returns import Agreement, Means, means, scale
from evaluation.gap_report.returns_curves import cloud, horizon_rows, policy_rows
from world_model.metrics.agreement import (
    mean_maximum_rank_violation,
    normalised,
    optimism,
    pearson,
    regret,
    return_error,
    same_distribution,
    spearman,
    wasserstein,
)
from world_model.metrics.intervals import Floats, estimate
from world_model.metrics.resampling import Drawn, holm, policies_and_episodes

_RANKINGS = 64  # drawn at random, for the null of ranks
_BY_CHANCE = "a ranking drawn at random"
_DEALT = "real returns, dealt out to the policies at random"
_ANYONE = "the returns of the whole zoo, whoever plays"
_SHUFFLED = "the dream with shuffled actions"


def measure_returns(table: Table, members: Sequence[Contestant], draws: int, seed: int) -> Findings:
    """All figures of the track."""
    found = means(table, draws, seed)
    cases = Cases(len(table.of("dream")), len(table.policies))
    metrics = [*_calibration(found, cases, seed), *_ranks(found, cases, seed), *_distributions(table, draws, seed)]
    metrics += _held_out(table, members, draws, seed)
    metrics += _by_age(found, members, cases)
    curves: dict[str, object] = {
        "policies": policy_rows(table, members, draws),
        "real_again": cloud(found),
        "horizons": horizon_rows(table, draws, seed),
        "scale": scale(table).how,
    }
    return Findings(metrics, curves, facts={"mmrv_by_chance": mmrv_by_chance(found.value["real"], 0.025, seed)})


def _calibration(found: Means, cases: Cases, seed: int) -> list[Metric]:
    constant = found.of(_of_constant, "real").value
    error = measured(
        *("A1", "A", "normalised return error (NRE)"),
        found.of(return_error, "dream"),
        cases,
        better="lower",
        floor=found.of(return_error, "again"),
        null=found.of(_dealt, "real"),
        null_is=_DEALT,
        seed=seed,
        note=f"a dream that gives every policy the zoo's mean return would have {constant:.3f}",
    )
    bias = measured(
        *("A2", "A", "optimism bias: above 0, the dream is too kind"),
        found.of(optimism, "dream"),
        cases,
        better="nearer 0",
        floor=found.of(optimism, "again"),
        null=found.of(optimism, "shuffled") if "shuffled" in found.value else None,
        null_is=_SHUFFLED if "shuffled" in found.value else "",
        best=0.0,
        seed=seed,
        note="" if "shuffled" in found.value else "no null: this profile plays no dream with shuffled actions",
    )
    return [error, bias]


def _dealt(*, dream: Floats, real: Floats) -> Floats:
    """The mean error of real returns that are dealt out to the policies at random: that of all pairs of policies."""
    return np.asarray(np.abs(real[..., :, None] - real[..., None, :]).mean(axis=(-2, -1)))


def _of_constant(*, dream: Floats, real: Floats) -> Floats:
    return return_error(dream=np.broadcast_to(real.mean(axis=-1, keepdims=True), real.shape), real=real)


def _ranks(found: Means, cases: Cases, seed: int) -> list[Metric]:
    """A ranking drawn at random has no correlation in the mean; what it violates and regrets depends on the zoo."""
    count = found.draws["real"].shape[0]
    nothing = Drawn.exactly(0.0, count)
    rows: list[tuple[str, str, Agreement, Drawn]] = [
        ("A3", "rank agreement: Spearman's rho", spearman, nothing),
        ("A3.mmrv", "mean maximum rank violation (MMRV)", mean_maximum_rank_violation, Drawn.exactly(math.nan, 0)),
        ("A3.r", "Pearson's r of returns", pearson, nothing),
        ("A4", "regret@1: what trusting the dream's favourite costs", partial(regret, k=1), Drawn.exactly(math.nan, 0)),
        ("A4.3", "regret@3: the best of its three favourites", partial(regret, k=3), Drawn.exactly(math.nan, 0)),
    ]
    metrics = []
    for key, what, figure, null in rows:
        by_chance = partial(_by_chance, figure, np.random.default_rng([seed, 1]))
        higher = key in ("A3", "A3.r")
        metrics.append(
            measured(
                *(key, "A", what),
                found.of(figure, "dream"),
                cases,
                better="higher" if higher else "lower",
                floor=found.of(figure, "again"),
                null=null if higher else found.of(by_chance, "real"),
                null_is=_BY_CHANCE,
                seed=seed,
            )
        )
    return metrics


def _by_chance(figure: Agreement, generator: np.random.Generator, *, dream: Floats, real: Floats) -> Floats:
    """The mean of a figure over rankings drawn at random."""
    total = np.zeros(real.shape[:-1])
    for _ in range(_RANKINGS):
        total += figure(
            dream=generator.permuted(np.broadcast_to(np.arange(real.shape[-1]), real.shape), axis=-1), real=real
        )
    return np.asarray(total / _RANKINGS)


def mmrv_by_chance(real_P: Floats, share: float, seed: int, rankings: int = 4000) -> float:
    """The MMRV below which a share of rankings drawn at random lie: what has to be beaten to be trusted with ranks."""
    generator = np.random.default_rng(seed)
    rankings_NP = generator.permuted(np.broadcast_to(np.arange(len(real_P)), (rankings, len(real_P))), axis=-1)
    real_NP = np.broadcast_to(real_P, rankings_NP.shape)
    return float(np.quantile(mean_maximum_rank_violation(dream=rankings_NP, real=real_NP), share))


def _distributions(table: Table, draws: int, seed: int) -> list[Metric]:
    """How far the distributions of returns are apart, policy by policy."""
    chosen = scale(table)
    of = {side: normalised(table.column(side, "total"), chosen.random, chosen.reference) for side in JUDGED}
    policies, episodes = of["real"].shape
    sides = {"dream": of["dream"], "again": of["again"], "anyone": anyone(of["real"])}
    values = {
        name: np.array([wasserstein(a, b) for a, b in zip(other, of["real"], strict=True)])
        for name, other in sides.items()
    }
    # Sorting is what the distance costs: far fewer draws than of means do.
    which_DP, episodes_DPE = policies_and_episodes(policies, episodes, draws=min(draws, 200), seed=seed)
    drawn = {
        name: np.abs(
            np.sort(other[which_DP[..., None], episodes_DPE], axis=-1)
            - np.sort(of["real"][which_DP[..., None], episodes_DPE], axis=-1)
        ).mean(axis=(1, 2))
        for name, other in sides.items()
    }
    p_P = holm([same_distribution(a, b, seed=seed) for a, b in zip(of["dream"], of["real"], strict=True)])
    apart = [name for name, p in zip(table.policies, p_P, strict=True) if p < 0.05]
    note = f"Kolmogorov-Smirnov tells {len(apart)} of {policies} policies apart after Holm" + (
        f": {', '.join(apart)}" if apart else ""
    )
    figures = {name: Drawn(float(values[name].mean()), drawn[name]) for name in sides}
    return [
        measured(
            *("A5", "A", "Wasserstein-1 distance of the returns' distributions"),
            figures["dream"],
            Cases(of["dream"].size, policies),
            better="lower",
            floor=figures["again"],
            null=figures["anyone"],
            null_is=_ANYONE,
            seed=seed,
            note=note,
        )
    ]


def anyone(values_PE: Floats) -> Floats:
    """For each policy a sample of the same size that is spread as those of all policies are together.

    Example:
        >>> anyone(np.array([[0.0, 1.0], [2.0, 3.0]])).tolist()
        [[0.75, 2.25], [0.75, 2.25]]
    """
    count = values_PE.shape[1]
    sample_E = np.quantile(values_PE, (np.arange(count) + 0.5) / count)
    return np.asarray(np.broadcast_to(sample_E, values_PE.shape))


def _held_out(table: Table, members: Sequence[Contestant], draws: int, seed: int) -> list[Metric]:
    """Rank agreement and error of the policies alone whose play the world has never seen."""
    names = [each.name for each in members if each.held_out]
    if len(names) < 3:
        return []
    found = means(table, draws, seed, policies=names)
    cases, note = Cases(len(names) * len(table.of("dream", names[0])), len(names)), ", ".join(names)
    rows: list[tuple[str, str, Agreement, bool]] = [
        ("A1.held_out", "NRE, held-out policies alone", return_error, False),
        ("A3.held_out", "Spearman's rho, held-out policies alone", spearman, True),
        ("A3.mmrv_held_out", "MMRV, held-out policies alone", mean_maximum_rank_violation, False),
    ]
    return [
        measured(
            *(key, "A", what),
            found.of(figure, "dream"),
            cases,
            better="higher" if higher else "lower",
            floor=found.of(figure, "again"),
            seed=seed,
            note=note,
        )
        for key, what, figure, higher in rows
    ]


def _by_age(found: Means, members: Sequence[Contestant], cases: Cases) -> list[Metric]:
    """How well one ranks who only looks at how long a policy was trained: monotone zoos make good ranks cheap."""
    known = [place for place, each in enumerate(members) if each.age is not None]
    if len(known) < 4:
        return []
    ages = np.array([float(members[place].age or 0) for place in known])
    real = found.value["real"][known]
    rho = float(spearman(dream=ages, real=real))
    mmrv = float(mean_maximum_rank_violation(dream=ages, real=real))
    ours = float(spearman(dream=found.value["dream"][known], real=real))
    note = f"of {len(known)} trained policies; MMRV {mmrv:.3f}; the dream ranks the same ones with rho {ours:.3f}"
    plain = estimate([rho])
    return [Metric("A3.age", "A", "a null: rho of ranking by training steps alone", plain, better="neither", note=note)]
