"""Track E: rewards and ends, one step from what was real and on dreamt frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluation.gap_report.episodes import Table
from evaluation.gap_report.metric import Cases, Findings, Metric, measured, not_measured
from evaluation.gap_report.rollouts import RollOut
from world_model.metrics.calibration import (
    brier_skill,
    brier_sums,
    expected_calibration_error,
    reliability,
)
from world_model.metrics.events import Matches, event_sums, f1, match_events, phantoms_per_1000_steps, timing
from world_model.metrics.intervals import Bools, Floats, clopper_pearson, estimate_of, proportion
from world_model.metrics.resampling import Drawn, cluster_totals, drawn_by

_TOLERANCES = (0, 1, 3)  # steps
_END_TOLERANCE = 3
_BASE_RATE = "the rewards of another moment: right as often as chance is"
_EXACT = "a twin repeats the recording exactly: the floor has no noise"


@dataclass
class Outcomes:
    """Rewards and ends of rollouts, collected; forced ones or open loops."""

    rewards: list[Floats]
    real_rewards: list[Floats]
    ends: list[Bools]
    real_ends: list[Bools]
    end_probability: list[Floats]
    clusters: list[int]

    @classmethod
    def empty(cls) -> Outcomes:
        """Nothing yet."""
        return cls([], [], [], [], [], [])

    def add(self, batch: RollOut) -> None:
        """Some rollouts."""
        self.rewards += list(batch.rewards)
        self.real_rewards += list(batch.real_rewards)
        self.ends += list(batch.terminated)
        self.real_ends += list(batch.real_terminated)
        self.end_probability += list(batch.end_probability)
        self.clusters += batch.clusters.tolist()

    @property
    def _elsewhere(self) -> list[int]:
        """For each rollout another one, as far away in the list as can be: the null's rewards."""
        count = len(self.rewards)
        return [(place + max(1, count // 2)) % count for place in range(count)]

    def reward_metrics(self, prefix: str, where: str, draws: int, seed: int) -> list[Metric]:
        """F1 at every tolerance, phantoms, timing, and how much is given in all."""
        metrics = []
        for tolerance in _TOLERANCES:
            what = f"reward F1 at +-{tolerance}, {where}"
            key = f"{prefix}.{tolerance}" if tolerance != 1 else prefix
            metrics.append(self._f1(key, what, self.rewards, self.real_rewards, tolerance, draws, seed))
        metrics += [self._phantoms(prefix.replace("E1", "E4"), where, draws, seed)]
        metrics += [self._given(prefix.replace("E1", "E4") + ".sum", where, draws, seed)]
        return metrics

    def end_metrics(self, prefix: str, where: str, draws: int, seed: int) -> list[Metric]:
        """F1 of the ends of games."""
        what = f"end F1 at +-{_END_TOLERANCE}, {where}"
        ends, real = ([each.astype(np.float64) for each in series] for series in (self.ends, self.real_ends))
        return [self._f1(f"{prefix}.end", what, ends, real, _END_TOLERANCE, draws, seed)]

    def confusion(self, where: str) -> dict[str, object]:
        """For the page: the dream's rewards by the real ones, step for step."""
        ours, real = np.concatenate(self.rewards), np.concatenate(self.real_rewards)
        values = np.union1d(ours, real)
        counts = np.zeros((len(values), len(values)), np.int64)
        np.add.at(counts, (np.searchsorted(values, real), np.searchsorted(values, ours)), 1)
        labels = [f"{value:+g}" if value else "0" for value in values]
        return {"title": f"rewards {where}", "rows": "real", "labels": labels, "counts": counts.tolist()}

    def _matches(self, ours: list[Floats], real: list[Floats], tolerance: int) -> list[Matches]:
        return [match_events(one, other, tolerance) for one, other in zip(ours, real, strict=True)]

    def _f1(
        self, key: str, what: str, ours: list[Floats], real: list[Floats], tolerance: int, draws: int, seed: int
    ) -> Metric:
        if not any(series.any() for series in real):
            return not_measured(key, "E", what, "it never happens in what was recorded")
        matches = self._matches(ours, real, tolerance)
        sums = event_sums(matches)
        by_chance = event_sums(self._matches([real[place] for place in self._elsewhere], real, tolerance))
        totals, drawn = cluster_totals(np.concatenate([sums, by_chance], axis=1), self.clusters, draws, seed)
        late = timing(matches)
        happened = int(sums[:, 0].sum() + sums[:, 2].sum())
        note = (
            f"{happened:,} real events in {int(sums[:, 3].sum()):,} steps; {late.median:+g} steps late in the median "
            f"({late.low_quartile:+g} to {late.high_quartile:+g})"
        )
        return measured(
            *(key, "E", what),
            drawn_by(f1, totals[:4], drawn[:, :4]),
            Cases(happened, len(set(self.clusters))),
            better="higher",
            floor=Drawn.exactly(1.0, draws),
            null=drawn_by(f1, totals[4:], drawn[:, 4:]),
            null_is=_BASE_RATE,
            seed=seed,
            note=note,
        )

    def _phantoms(self, key: str, where: str, draws: int, seed: int) -> Metric:
        sums = event_sums(self._matches(self.rewards, self.real_rewards, 1))
        shuffled = [self.real_rewards[place] for place in self._elsewhere]
        by_chance = event_sums(self._matches(shuffled, self.real_rewards, 1))
        totals, drawn = cluster_totals(np.concatenate([sums, by_chance], axis=1), self.clusters, draws, seed)
        exact = clopper_pearson(int(totals[1]), int(totals[3]))
        return measured(
            *(key, "E", f"phantom rewards, {where}"),
            drawn_by(phantoms_per_1000_steps, totals[:4], drawn[:, :4]),
            Cases(int(totals[3]), len(set(self.clusters))),
            unit="a 1000 steps",
            better="lower",
            floor=Drawn.exactly(0.0, draws),
            null=drawn_by(phantoms_per_1000_steps, totals[4:], drawn[:, 4:]),
            null_is=_BASE_RATE,
            seed=seed,
            note=f"{int(totals[1])} in {int(totals[3]):,} steps; exact interval to {1000 * exact.high:.2f}",
        )

    def _given(self, key: str, where: str, draws: int, seed: int) -> Metric:
        """Rewards of both signs count by size: those of a game in which both score add up to nothing."""
        what = f"size of all rewards, {where}: dream over real"
        rows = np.array(
            [(np.abs(a).sum(), np.abs(b).sum()) for a, b in zip(self.rewards, self.real_rewards, strict=True)]
        )
        if rows[:, 1].sum() == 0:
            return not_measured(key, "E", what, "nothing is rewarded in what was recorded")
        totals, drawn = cluster_totals(rows, self.clusters, draws, seed)
        return measured(
            *(key, "E", what),
            drawn_by(lambda t: float(t[0] / t[1]) if t[1] else math.nan, totals, drawn),
            Cases(len(rows), len(set(self.clusters))),
            better="nearer 1",
            floor=Drawn.exactly(1.0, draws),
            null=Drawn.exactly(0.0, draws),
            null_is="no rewards at all",
            best=1.0,
            seed=seed,
        )

    def calibration(self, draws: int, seed: int) -> Findings:
        """E3: are the probabilities of an end what they say."""
        what = "end of the game: Brier skill"
        probability, happened = np.concatenate(self.end_probability), np.concatenate(self.real_ends)
        table = reliability(probability, happened)
        curve: dict[str, object] = {
            "probability": table.probability.tolist(),
            "share": table.share.tolist(),
            "count": table.count.tolist(),
        }
        if not happened.any():
            return Findings(
                [not_measured("E3", "E", what, "no game ends in what was recorded")], {"reliability": curve}
            )
        each = np.repeat(self.clusters, [len(series) for series in self.real_ends])
        totals, drawn = cluster_totals(brier_sums(probability, happened), each, draws, seed)
        cases = Cases(len(probability), len(set(self.clusters)))
        pairs = np.stack([probability, happened], axis=1)

        def error(pairs_B2: Floats) -> float:
            return expected_calibration_error(reliability(pairs_B2[:, 0], pairs_B2[:, 1] > 0))

        skill = measured(
            *("E3", "E", what),
            drawn_by(brier_skill, totals, drawn),
            cases,
            better="higher",
            floor=Drawn.exactly(1.0, draws),
            null=Drawn.exactly(0.0, draws),
            null_is="its base rate",
            seed=seed,
            note=f"{int(happened.sum()):,} ends in {len(happened):,} steps; {_EXACT}",
        )
        ece = estimate_of(pairs, error, each, draws=min(draws, 200), seed=seed)
        calibrated = Metric("E3.ece", "E", "end of the game: calibration error (ECE)", ece, "%", "lower", seed=seed)
        return Findings([skill, calibrated], {"reliability": curve})


def measure_survival(table: Table) -> list[Metric]:
    """E5: how many dreamt games go on for longer than any real one, and how many end at all."""
    longest = max(each.length for each in [*table.of("real"), *table.of("again")])
    immortal = proportion([each.length > longest for each in table.of("dream")])
    ended = {side: proportion([each.ended == "terminated" for each in table.of(side)]) for side in ("dream", "real")}
    return [
        Metric("E5", "E", f"games that outlive the longest real one ({longest:,} steps)", immortal, "%", "lower"),
        Metric("E5.end", "E", "games that end by themselves", ended["dream"], "%", floor=ended["real"]),
    ]
