"""Track F: what agents that were trained in the dream do in the real game, from the runs of `neural-env transfer`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from evaluation.gap_report.metric import Cases, Findings, Metric, measured, not_measured
from evaluation.transfer.figures import (
    Which,
    exploitation,
    final_less_best,
    gained,
    improvement,
    mean_returns,
    transfer_ratio,
)
from evaluation.transfer.outcome import ARMS, Arm, Outcome, read_outcome
from world_model.metrics.resampling import Drawn

_WHY = "needs agents trained in this dream: neural-env transfer makes them, --transfer names their folder"
_OF_ANOTHER = "the runs were made in the dream of another world"
_PLACES = {
    "F1": "transfer ratio: real score of an agent trained in the dream, 1: of one trained in the game",
    "F2": f"probability of improvement over one {ARMS['matched']}",
    "F2.clone": f"probability of improvement over {ARMS['clone']}",
    "F3": "exploitation gap, maximum over training and runs",
    "F3.final": "last policy less the best one on the real game",
    "F4": "transfer ratio of the policies that the dream alone would choose",
}


def measure_transfer(runs: Path | None, world: str | None, draws: int, seed: int) -> Findings:
    """All figures that there are runs for; runs in another world's dream do not count."""
    if runs is None:
        return Findings([not_measured(key, "F", what, _WHY) for key, what in _PLACES.items()])
    outcome = read_outcome(runs)
    if outcome.world != world:
        return Findings([not_measured(key, "F", what, _OF_ANOTHER) for key, what in _PLACES.items()])
    how = f"{outcome.algorithm}, {outcome.steps:,} steps, {len(outcome.of('dream'))} runs"
    found = [
        _ratio(outcome, "F1", "returns", draws, seed, how),
        _improvement(outcome, "F2", "matched", draws, seed, how),
        _improvement(outcome, "F2.clone", "clone", draws, seed, how),
        _of_runs(outcome, "F3", exploitation, how),
        _of_runs(outcome, "F3.final", final_less_best, how),
        _ratio(outcome, "F4", "chosen_returns", draws, seed, how),
    ]
    return Findings(found, {"transfer": _curves(outcome)})


def _ratio(outcome: Outcome, key: str, which: Which, draws: int, seed: int, how: str) -> Metric:
    if missing := _unscaled(outcome):
        return not_measured(key, "F", _PLACES[key], missing)
    alike = transfer_ratio(outcome, draws, seed + 10, "real")
    nothing = transfer_ratio(outcome, draws, seed + 20, "random")
    return measured(
        *(key, "F", _PLACES[key]),
        transfer_ratio(outcome, draws, seed, which=which),
        _cases(outcome),
        better="higher",
        floor=alike,
        null=nothing,
        null_is="an agent that draws its actions at random",
        seed=seed,
        note=how,
    )


def _improvement(outcome: Outcome, key: str, other: Arm, draws: int, seed: int, how: str) -> Metric:
    if missing := _missing(outcome, "dream", other):
        return not_measured(key, "F", _PLACES[key], missing)
    theirs = mean_returns(outcome.of(other), draws, seed).mean.value
    drawn = improvement(outcome, other, draws, seed)
    note = f"{how}; the others have {theirs:+.2f}"
    return measured(key, "F", _PLACES[key], drawn, _cases(outcome), better="higher", seed=seed, note=note)


def _of_runs(outcome: Outcome, key: str, figure: Callable[[Outcome], list[float]], how: str) -> Metric:
    """The one that is furthest from 0; runs are few, so no interval is claimed."""
    if missing := _unscaled(outcome):
        return not_measured(key, "F", _PLACES[key], missing)
    each = figure(outcome)
    worst = max(each) if key == "F3" else min(each)
    note = f"{how}: {', '.join(f'{value:+.3f}' for value in each)}"
    drawn = Drawn(float(worst), np.empty(0))
    return measured(key, "F", _PLACES[key], drawn, Cases(len(each), len(each)), better="nearer 0", note=note)


def _unscaled(outcome: Outcome) -> str:
    if missing := _missing(outcome, "dream", "real", "random"):
        return missing
    return "" if gained(outcome) else "training in the real game has gained nothing over random play"


def _missing(outcome: Outcome, *arms: Arm) -> str:
    lacking = [arm for arm in arms if not outcome.of(arm)]
    return f"the runs have no arm {', '.join(lacking)}" if lacking else ""


def _cases(outcome: Outcome) -> Cases:
    runs = outcome.of("dream")
    return Cases(sum(len(run.returns) for run in runs), len(runs))


def _curves(outcome: Outcome) -> list[dict[str, object]]:
    """Both returns over training, run by run."""
    return [
        {
            "arm": run.arm,
            "seed": run.seed,
            "steps": [stage.steps for stage in run.curve],
            "real": [stage.real for stage in run.curve],
            "dreamt": [stage.dreamt for stage in run.curve] if run.arm == "dream" else [],
        }
        for run in outcome.runs
        if run.curve
    ]
