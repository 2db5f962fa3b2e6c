"""Mean returns of the policies on each side, normalised, with the draws of a nested bootstrap.

Policies are drawn, and in each of them episodes; an episode's start is the same on every side, and is drawn for all
sides at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.gap_report.contestants import RANDOM
from evaluation.gap_report.episodes import SIDES, Side, Table
from world_model.metrics.agreement import normalised
from world_model.metrics.intervals import Floats
from world_model.metrics.resampling import Drawn, policies_and_episodes

Agreement = Callable[..., Floats]  # of dream=, real=


@dataclass(frozen=True)
class Means:
    """Mean normalised returns of the policies [P] on each side, and on every draw [D, P]."""

    value: dict[Side, Floats]
    draws: dict[Side, Floats]

    def of(self, figure: Agreement, side: Side) -> Drawn:
        """A figure of one side against the real game."""
        at_once = {"dream": self.draws[side], "real": self.draws["real"]}
        return Drawn(float(figure(dream=self.value[side], real=self.value["real"])), figure(**at_once))


@dataclass(frozen=True)
class Scale:
    """What the returns 0 and 1 stand for."""

    random: float
    reference: float
    how: str


def scale(table: Table, column: str = "total") -> Scale:
    """0: the mean real return of the policy called "random", or of the worst; 1: of the best."""
    means = table.column("real", column).mean(axis=1)
    named = RANDOM in table.policies
    worst = float(means[table.policies.index(RANDOM)] if named else means.min())
    best = float(means.max())
    zero = f"the policy {RANDOM!r}" if named else f"{table.policies[int(means.argmin())]!r}, the worst policy here"
    return Scale(worst, best, f"0 is {zero} ({worst:+.2f}), 1 is {table.policies[int(means.argmax())]!r} ({best:+.2f})")


def means(table: Table, draws: int, seed: int, column: str = "total", policies: Sequence[str] | None = None) -> Means:
    """Of all sides that were played, of all policies or some; sides of the same size draw the same episodes."""
    chosen = scale(table, column)  # always the whole zoo's
    part = table if policies is None else Table(table.episodes, policies)
    value: dict[Side, Floats] = {}
    drawn: dict[Side, Floats] = {}
    for side in SIDES:
        if table.has(side):
            returns_PE = normalised(part.column(side, column), chosen.random, chosen.reference)
            count, episodes = returns_PE.shape
            which_DP, episodes_DPE = policies_and_episodes(count, episodes, draws, seed)
            value[side] = returns_PE.mean(axis=1)
            drawn[side] = returns_PE[which_DP[..., None], episodes_DPE].mean(axis=-1)
    return Means(value, drawn)
