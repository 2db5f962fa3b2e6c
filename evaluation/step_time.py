"""Whether a step costs the same however long the dream has gone on: late and early steps timed in turns."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from evaluation.report import Part, Row
from world_model.lane_state import SimulatorState
from world_model.metrics.intervals import estimate_of
from world_model.simulator import Context, LaneSimulator

EARLY_STEP = 100
_TURNS, _STEPS = 41, 10  # of each; steps in a turn


def constant_cost(simulator: LaneSimulator, context: Context, late_step: int, lanes: int = 1) -> Part:
    """The time of a step at `late_step` over that of one at step 100, the median of many turns side by side."""
    executed = np.zeros((lanes, context.executed.shape[1]), np.int64)
    state, _ = simulator.start([context] * lanes, range(lanes))
    moments = []
    with tqdm(total=late_step, desc="long dream", unit="step") as bar:
        for taken in range(1, late_step + 1):
            state, _ = simulator.step(state, executed)
            if taken in (EARLY_STEP, late_step):
                moments.append(state.clone())
            bar.update()
    early, late = moments[0], moments[-1]
    ratios = [_ratio(simulator, early, late, executed, late_first=turn % 2 == 0) for turn in range(_TURNS + 1)]
    what = f"time of a step at {late_step:,} over one at {EARLY_STEP}"
    return Part([Row("speed/constant_cost", what, estimate_of(ratios[1:], _median))])  # the first turn warms up


def _ratio(
    simulator: LaneSimulator,
    early: SimulatorState,
    late: SimulatorState,
    executed: npt.NDArray[np.int64],
    late_first: bool,
) -> float:
    states = [late, early] if late_first else [early, late]
    seconds = [_seconds(simulator, state.clone(), executed) for state in states]
    return seconds[0] / seconds[1] if late_first else seconds[1] / seconds[0]


def _seconds(simulator: LaneSimulator, state: SimulatorState, executed: npt.NDArray[np.int64]) -> float:
    began = time.perf_counter()
    for _ in range(_STEPS):
        state, _ = simulator.step(state, executed)
    return time.perf_counter() - began


def _median(ratios: npt.NDArray[np.float64]) -> float:
    return float(np.median(ratios))
