"""Track C, in closed loop: what moves, dies and counts, from the table of episodes."""

from __future__ import annotations

import numpy as np

from evaluation.gap_report.episodes import Side, Table
from evaluation.gap_report.metric import Cases, Metric, measured, not_measured
from world_model.metrics.intervals import Floats, proportion
from world_model.metrics.resampling import Drawn, cluster_totals, mean_of, policies_and_episodes

_JUDGED: tuple[Side, ...] = ("real", "again", "dream")


def measure_lanes(table: Table, draws: int, seed: int) -> list[Metric]:
    """C6 and C7: how much moves, which games died, whether the score in the picture follows the rewards."""
    return [_motion(table, draws, seed), _dead(table), *_score(table, draws, seed)]


def _motion(table: Table, draws: int, seed: int) -> Metric:
    motion = {side: table.column(side, "motion") for side in _JUDGED}
    steps = {side: table.column(side, "length") for side in _JUDGED}
    policies, episodes = motion["real"].shape
    which_DP, episodes_DPE = policies_and_episodes(policies, episodes, draws=draws, seed=seed)

    def total(side: Side) -> tuple[float, Floats]:
        moved = motion[side] * steps[side]
        drawn = [each[which_DP[..., None], episodes_DPE].sum(axis=(1, 2)) for each in (moved, steps[side])]
        return float(moved.sum() / steps[side].sum()), drawn[0] / drawn[1]

    sides = {side: total(side) for side in _JUDGED}
    if sides["real"][0] == 0:
        return not_measured("C6", "C", "motion ratio", "nothing moves in the real game")
    ratios = {side: Drawn(value / sides["real"][0], drawn / sides["real"][1]) for side, (value, drawn) in sides.items()}
    return measured(
        *("C6", "C", "motion ratio: how much changes from frame to frame, dream over real"),
        ratios["dream"],
        Cases(motion["dream"].size, policies),
        better="nearer 1",
        floor=ratios["again"],
        null=Drawn.exactly(0.0, draws),
        null_is="a frozen frame",
        best=1.0,
        seed=seed,
    )


def _dead(table: Table) -> Metric:
    dead = {side: [each.died >= 0 for each in table.of(side)] for side in _JUDGED}
    real = proportion(dead["real"] + dead["again"])
    first = min((each.died for each in table.of("dream") if each.died >= 0), default=None)
    note = (
        f"{sum(dead['dream'])} of {len(dead['dream'])} episodes, {sum(dead['real'] + dead['again'])} of the real ones"
    )
    what = "dead episodes: frozen, blank, or without what the game shows"
    estimate = proportion(dead["dream"])
    late = "" if first is None else f"; the first at step {first}"
    return Metric("C6.dead", "C", what, estimate, "%", "lower", floor=real, note=note + late)


def _score(table: Table, draws: int, seed: int) -> list[Metric]:
    """C7, in the episodes whose pictures were read."""
    what = "the score in the picture moves with the reward"
    sums = {
        side: np.array([(e.points_shown, e.points_due, e.points_made_up, e.length) for e in table.of(side)], np.float64)
        for side in _JUDGED
    }
    if min(sums["dream"][:, 1].sum(), sums["real"][:, 1].sum()) == 0:
        return [not_measured("C7", "C", what, "nobody reads a score in this game's pictures, or nobody scored", "%")]
    watched = sums["dream"][:, 1] > 0
    policies = np.array([table.policies.index(each.policy) for each in table.of("dream")])
    rows = np.concatenate([sums[side][:, :2] for side in ("dream", "again")], axis=1)
    drawn = cluster_totals(rows, policies, draws, seed)
    cases = Cases(int(sums["dream"][:, 1].sum()), len(set(policies[watched].tolist())))
    made_up = int(sums["dream"][:, 2].sum())
    return [
        measured(
            *("C7", "C", what),
            mean_of(*drawn, 0, 1),
            cases,
            unit="%",
            better="higher",
            floor=mean_of(*drawn, 2, 3),
            null=Drawn.exactly(0.0, draws),
            null_is="a score that stands still",
            seed=seed,
            note=f"of {cases.count:,} rewards; {made_up} changes of the score without one",
        )
    ]
