"""The outcome in a few lines."""

from __future__ import annotations

import numpy as np

from evaluation.transfer.figures import (
    exploitation,
    final_less_best,
    improvement,
    mean_returns,
    transfer_ratio,
)
from evaluation.transfer.outcome import ARMS, Arm, Outcome
from world_model.metrics.resampling import Drawn

_DRAWS, _SEED = 2000, 0


def table(outcome: Outcome) -> str:
    """Every arm's mean real return, and what is made of them."""
    lines = [f"real returns of {outcome.game}, {outcome.algorithm}, {outcome.steps:,} steps, with 95 % intervals"]
    for arm, what in ARMS.items():
        if runs := outcome.of(arm):
            mean = mean_returns(runs, _DRAWS, _SEED).mean
            lines.append(f"  {_shown(mean, len(runs), '+.2f'):<28} {what}, {len(runs)} runs")
    if not outcome.of("dream"):
        return "\n".join(lines)
    runs_of_dream = len(outcome.of("dream"))
    if outcome.of("random") and outcome.of("real"):
        ratio = transfer_ratio(outcome, _DRAWS, _SEED)
        chosen = transfer_ratio(outcome, _DRAWS, _SEED, which="chosen_returns")
        lines += [
            f"  {_shown(ratio, runs_of_dream, '.3f'):<28} transfer ratio",
            f"  {_shown(chosen, runs_of_dream, '.3f'):<28} the same, of the policies that the dream would choose",
            f"  {max(exploitation(outcome)):<28.3f} exploitation gap, maximum over training and runs",
            f"  {float(np.mean(final_less_best(outcome))):<28.3f} last policy less best on the real game",
        ]
    others: tuple[Arm, ...] = ("matched", "clone")
    lines += [
        f"  {_shown(improvement(outcome, other, _DRAWS, _SEED), runs_of_dream, '.2f'):<28} "
        f"probability of improvement over one {ARMS[other]}"
        for other in others
        if outcome.of(other)
    ]
    return "\n".join(lines)


def _shown(drawn: Drawn, runs: int, form: str) -> str:
    """A figure and its interval, if it has one."""
    of = drawn.estimate(runs, runs)
    interval = "" if np.isnan(of.low) else f" ({of.low:{form}} to {of.high:{form}})"
    return f"{of.value:{form}}{interval}"
