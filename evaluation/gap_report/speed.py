"""Track G: steps a second of both sides as they were played here. The only figures that differ from run to run."""

from __future__ import annotations

import time

import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec

from evaluation.gap_report.matches import Matches
from evaluation.gap_report.metric import Metric
from evaluation.gap_report.sides import open_side
from world_model.metrics.intervals import Estimate, estimate

_LANES, _TURNS = 8, 5


def measure_speed(dream: EnvSpec, real: EnvSpec, found: Matches, num_actions: int, seconds: float) -> list[Metric]:
    """Both in turns, so that whatever else the machine does meets both."""
    generator = np.random.default_rng(0)
    sides = [open_side(spec, _LANES, found.of_world) for spec in (dream, real)]
    rates: list[list[float]] = [[], []]
    for side in sides:
        for lane in range(_LANES):
            side.begin(lane, found.starts[lane % len(found.starts)], lane)
    for _ in range(_TURNS):
        for side, rate in zip(sides, rates, strict=True):
            began, steps = time.perf_counter(), 0
            while (passed := time.perf_counter() - began) < seconds / _TURNS or not steps:
                step = side.step(range(_LANES), generator.integers(num_actions, size=_LANES))
                steps += _LANES
                for lane in np.flatnonzero(step.terminated | step.truncated).tolist():
                    side.begin(lane, found.starts[0], steps)
            rate.append(steps / passed)
    for side in sides:
        side.close()
    dreamt, played = (estimate(rate) for rate in rates)
    where = f"{_LANES} lanes, {torch.get_num_threads()} threads"
    return [
        Metric(
            "G1",
            "G",
            "steps of the dream a second",
            dreamt,
            "steps/s",
            "higher",
            note=f"{where}; the real game {played.value:,.0f}",
        ),
        Metric("G1.real", "G", "steps of the real game a second", played, "steps/s", "higher", note=where),
        Metric(
            "G1.ratio",
            "G",
            "dream over real",
            Estimate(dreamt.value / played.value, np.nan, np.nan, 1, 1),
            "",
            "higher",
        ),
    ]
