"""What came of learning in a dream: both returns over training, and what it costs to trust the dream's own.

    runs/dreamt/judgement.json      the curve, the largest exploitation gap, and which policy each judge would choose
    runs/dreamt/judgement.png

The exploitation gap of a policy is its mean return in the dream less that in the real game, in game points: above 0,
the agent has found something that pays in the dream alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import matplotlib

from agents.policy_file import read_record
from agents.run_folder import RunFolder
from data_gen.atomic import write_atomically

matplotlib.use("Agg")


@dataclass(frozen=True)
class Judged:
    """One graded policy."""

    policy: str
    steps: int
    real: float  # mean returns
    dreamt: float
    real_interval: tuple[float, float]
    dreamt_interval: tuple[float, float]
    episodes: int  # on each side

    @property
    def gap(self) -> float:
        """Above 0: better in the dream than in the real game."""
        return self.dreamt - self.real


def judge(folder: RunFolder) -> dict[str, Any]:
    """Write and return the judgement of a run whose policies were graded on both sides."""
    curve = judged_policies(folder)
    widest = max(curve, key=lambda each: each.gap)
    by_dream, by_real = max(curve, key=lambda each: each.dreamt), max(curve, key=lambda each: each.real)
    judgement = {
        "exploitation_gap_max": {"points": widest.gap, "policy": widest.policy},
        "exploitation_gap_last": {"points": curve[-1].gap, "policy": curve[-1].policy},
        "chosen_by_dream_alone": asdict(by_dream),
        "chosen_by_real_games": {**asdict(by_real), "real_games_spent": sum(each.episodes for each in curve)},
        "last": asdict(curve[-1]),
        "final_minus_best_on_real": curve[-1].real - by_real.real,
        "curve": [asdict(each) for each in curve],
    }
    write_atomically(folder.root / "judgement.json", (json.dumps(judgement, indent=1) + "\n").encode())
    _draw(curve, folder)
    print(
        f"chosen by the dream alone: {by_dream.policy}, {by_dream.real:+.2f} in the real game; by "
        f"{sum(each.episodes for each in curve)} real games: {by_real.policy}, {by_real.real:+.2f}; the dream "
        f"flatters by {widest.gap:+.2f} at most ({widest.policy})"
    )
    return judgement


def judged_policies(folder: RunFolder) -> list[Judged]:
    """The graded policies of a run in the order of training."""
    found = []
    for policy in folder.kept():
        training = read_record(policy).training
        real, dreamt = training["evaluation"], training["evaluation_in_dream"]
        found.append(
            Judged(
                policy.name,
                training["steps"],
                real["mean_return"],
                dreamt["mean_return"],
                tuple(real["interval_95"]),
                tuple(dreamt["interval_95"]),
                real["episodes"],
            )
        )
    return found


def _draw(curve: list[Judged], folder: RunFolder) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    steps = [each.steps for each in curve]
    for label, means, intervals in (
        ("real game", [each.real for each in curve], [each.real_interval for each in curve]),
        ("dream", [each.dreamt for each in curve], [each.dreamt_interval for each in curve]),
    ):
        bars = [[mean - low, high - mean] for mean, (low, high) in zip(means, intervals, strict=True)]
        axes.errorbar(steps, means, list(zip(*bars, strict=True)), marker=".", capsize=2, label=label)
    axes.set(xlabel="steps of training in the dream", ylabel="mean return")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder.root / "judgement.png", dpi=120)
    pyplot.close(figure)
