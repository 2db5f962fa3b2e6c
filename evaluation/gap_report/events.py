"""Track B: how often things happen in the dream and how long its games last, against the real game."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluation.gap_report.episodes import Episode, Side, Table
from evaluation.gap_report.metric import Cases, Findings, Metric, measured, not_measured
from evaluation.gap_report.returns import anyone
from world_model.metrics.agreement import wasserstein
from world_model.metrics.intervals import Floats
from world_model.metrics.resampling import Drawn, policies_and_episodes

_HALF = 0.5  # events added on both sides, so that none against a few has a logarithm
_SHUFFLED = "the dream with shuffled actions"

Count = Callable[[Episode], float]


def measure_events(table: Table, draws: int, seed: int) -> Findings:
    """Rates of what was rewarded and of games that ended, and lengths of episodes."""
    counts: list[tuple[str, str, Count]] = [
        ("B3.gain", "steps with a reward above 0", lambda each: each.gains),
        ("B3.loss", "steps with a reward below 0", lambda each: each.losses),
        ("B3.end", "ends of games", lambda each: each.ended == "terminated"),
    ]
    rates = [_rate(table, key, what, count, draws, seed) for key, what, count in counts]
    return Findings([*rates, _lengths(table, draws, seed), _worst_mean_length(table, draws, seed)])


def _rate(table: Table, key: str, what: str, count: Count, draws: int, seed: int) -> Metric:
    what = f"{what}: log-ratio of how often, dream over real"
    sums = {side: _sums(table, side, count) for side in _sides(table)}
    if sums["real"][..., 0].sum() + sums["dream"][..., 0].sum() == 0:
        return not_measured(key, "B", what, "it never happens on either side")
    rates = {side: _rates(each, draws, seed) for side, each in sums.items()}

    def over_real(side: Side) -> Drawn:
        return Drawn(float(np.log(rates[side][0] / rates["real"][0])), np.log(rates[side][1] / rates["real"][1]))

    happened = {side: int(each[..., 0].sum()) for side, each in sums.items()}
    steps = {side: int(each[..., 1].sum()) for side, each in sums.items()}
    note = ", ".join(
        f"{side} {happened[side]:,} in {steps[side]:,} steps" for side in ("real", "dream") if side in sums
    )
    return measured(
        *(key, "B", what),
        over_real("dream"),
        Cases(len(table.of("dream")), len(table.policies)),
        better="nearer 0",
        floor=over_real("again"),
        null=over_real("shuffled") if "shuffled" in sums else None,
        null_is=_SHUFFLED if "shuffled" in sums else "",
        best=0.0,
        seed=seed,
        note=note,
    )


def _sides(table: Table) -> list[Side]:
    sides: list[Side] = ["real", "again", "dream", "shuffled"]
    return [side for side in sides if table.has(side)]


def _sums(table: Table, side: Side, count: Count) -> Floats:
    """What was counted and the steps, [P, E, 2]."""
    rows = [[(count(each), each.length) for each in table.of(side, policy)] for policy in table.policies]
    return np.array(rows, np.float64)


def _rates(sums_PE2: Floats, draws: int, seed: int) -> tuple[float, Floats]:
    """Events a step: of all, and of every draw."""
    policies, episodes, _ = sums_PE2.shape
    which_DP, episodes_DPE = policies_and_episodes(policies, episodes, draws=draws, seed=seed)
    drawn_D2 = np.stack(
        [sums_PE2[which[:, None], each].sum(axis=(0, 1)) for which, each in zip(which_DP, episodes_DPE, strict=True)]
    )
    events, steps = sums_PE2.sum(axis=(0, 1))
    return float((events + _HALF) / steps), (drawn_D2[:, 0] + _HALF) / drawn_D2[:, 1]


def _lengths(table: Table, draws: int, seed: int) -> Metric:
    """B2: Wasserstein-1 of how long a policy's episodes last, over its mean; a cut episode lasts until its cut."""
    length = {side: table.column(side, "length") for side in _sides(table)}
    policies, episodes = length["real"].shape
    fewer = min(draws, 200)
    which_DP, episodes_DPE = policies_and_episodes(policies, episodes, draws=fewer, seed=seed)

    def apart(other_PE: Floats) -> Drawn:
        mean_P = length["real"].mean(axis=1)
        value = np.mean([wasserstein(a, b) / m for a, b, m in zip(other_PE, length["real"], mean_P, strict=True)])
        ours, theirs = (
            np.sort(each[which_DP[..., None], episodes_DPE], axis=-1) for each in (other_PE, length["real"])
        )
        return Drawn(float(value), (np.abs(ours - theirs).mean(axis=-1) / theirs.mean(axis=-1)).mean(axis=-1))

    capped = {side: sum(each.ended != "terminated" for each in table.of(side)) for side in ("real", "dream")}
    return measured(
        *("B2", "B", "length of episodes: Wasserstein-1 distance over the mean"),
        apart(length["dream"]),
        Cases(length["dream"].size, policies),
        better="lower",
        floor=apart(length["again"]),
        null=apart(anyone(length["real"])),
        null_is="the lengths of the whole zoo, whoever plays",
        seed=seed,
        note=f"cut or truncated: {capped['real']} real, {capped['dream']} dreamt, of {length['real'].size} each",
    )


def _worst_mean_length(table: Table, draws: int, seed: int) -> Metric:
    """B2.mean: by how much dream and real differ in a policy's mean length, of the policy where they differ most."""
    length = {side: table.column(side, "length") for side in _sides(table)}
    policies, episodes = length["real"].shape
    which_DP, episodes_DPE = policies_and_episodes(policies, episodes, draws=draws, seed=seed)

    def worst(other_PE: Floats) -> Drawn:
        off_P = other_PE.mean(axis=1) / length["real"].mean(axis=1) - 1
        ours, theirs = (each[which_DP[..., None], episodes_DPE].mean(axis=-1) for each in (other_PE, length["real"]))
        return Drawn(float(np.abs(off_P).max()), np.abs(ours / theirs - 1).max(axis=-1))

    off_P = length["dream"].mean(axis=1) / length["real"].mean(axis=1) - 1
    return measured(
        *("B2.mean", "B", "mean length of episodes: how far off, for the policy where it is farthest"),
        worst(length["dream"]),
        Cases(length["dream"].size, policies),
        better="lower",
        floor=worst(length["again"]),
        null=worst(anyone(length["real"])),
        null_is="the lengths of the whole zoo, whoever plays",
        seed=seed,
        note=", ".join(f"{name} {off:+.0%}" for name, off in zip(table.policies, off_P, strict=True)),
    )
