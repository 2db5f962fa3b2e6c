"""Figures of transfer. A nested bootstrap draws runs (seeds), and in each of them games.

Returns are normalised by the controls themselves: 0 is random play, 1 the same algorithm in the real game.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.transfer.outcome import Arm, Outcome, Stage, Trained
from world_model.metrics.intervals import Floats
from world_model.metrics.resampling import Drawn, policies_and_episodes

Which = Literal["returns", "dreamt_returns", "chosen_returns"]  # fields of Trained


@dataclass(frozen=True)
class Means:
    """The mean return of an arm, and of each of its runs."""

    mean: Drawn
    of_runs: Floats  # [R]
    drawn_runs: Floats  # [D, R], runs and games drawn


def mean_returns(runs: list[Trained], draws: int, seed: int, which: Which = "returns") -> Means:
    """Of these runs."""
    returns_RE = np.array([getattr(run, which) for run in runs], np.float64)
    count, games = returns_RE.shape
    which_DR, games_DRE = policies_and_episodes(count, games, draws, seed)
    drawn_DR = returns_RE[which_DR[..., None], games_DRE].mean(axis=-1)
    return Means(Drawn(float(returns_RE.mean()), drawn_DR.mean(axis=-1)), returns_RE.mean(axis=1), drawn_DR)


def transfer_ratio(outcome: Outcome, draws: int, seed: int, arm: Arm = "dream", which: Which = "returns") -> Drawn:
    """The normalised real return of an arm: 1, as good as the same algorithm in the real game."""
    ours = mean_returns(outcome.of(arm), draws, seed, which).mean
    zero, one = _scale(outcome, draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = (ours.draws - zero.draws) / (one.draws - zero.draws)
        value = float(np.divide(ours.value - zero.value, one.value - zero.value))
    return Drawn(value, np.where(np.isfinite(drawn), drawn, np.nan))


def improvement(outcome: Outcome, other: Arm, draws: int, seed: int) -> Drawn:
    """How probably a run in the dream ends better than a run of another arm, in the real game; ties count half."""
    ours = mean_returns(outcome.of("dream"), draws, seed)
    theirs = mean_returns(outcome.of(other), draws, seed + 1)
    return Drawn(float(_share_above(ours.of_runs, theirs.of_runs)), _share_above(ours.drawn_runs, theirs.drawn_runs))


def exploitation(outcome: Outcome) -> list[float]:
    """The largest gap of each dream run over training: normalised dream return less real return."""
    return _normalised(outcome, [max(_gap(stage) for stage in run.curve) for run in outcome.of("dream")])


def final_less_best(outcome: Outcome) -> list[float]:
    """What each dream run has lost in the real game since its best graded policy, normalised; 0: nothing."""
    lost = [run.curve[-1].real - max(stage.real for stage in run.curve) for run in outcome.of("dream")]
    return _normalised(outcome, lost)


def _gap(stage: Stage) -> float:
    assert stage.dreamt is not None
    return stage.dreamt - stage.real


def _share_above(ours: Floats, theirs: Floats) -> Floats:
    above = ours[..., :, None] > theirs[..., None, :]
    tied = ours[..., :, None] == theirs[..., None, :]
    return np.asarray((above + 0.5 * tied).mean(axis=(-2, -1)))


def _scale(outcome: Outcome, draws: int, seed: int) -> tuple[Drawn, Drawn]:
    """What the returns 0 and 1 stand for; drawn apart from the rest, for they are other games."""
    return (
        mean_returns(outcome.of("random"), draws, seed + 2).mean,
        mean_returns(outcome.of("real"), draws, seed + 3).mean,
    )


def _normalised(outcome: Outcome, points: Sequence[float]) -> list[float]:
    unit = gained(outcome)
    return [point / unit if unit else math.nan for point in points]


def gained(outcome: Outcome) -> float:
    """By how many points training in the real game beats random play; if by none, nothing can be normalised."""
    zero, one = _scale(outcome, 1, 0)
    return one.value - zero.value
