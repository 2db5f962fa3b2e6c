"""One pass of the network for the lanes that run. Those that wait cost nothing, once enough of them do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from world_model.lane_state import SimulatorState
from world_model.simulator import SimulationDiverged, Simulator, StepTensors

_WORTH = 0.5  # of 64 lanes: picking 48 out and putting them back takes as long as what it spares


def advance_running(
    simulator: Simulator, state: SimulatorState, executed_BK: npt.NDArray[np.int64], running: npt.NDArray[np.bool_]
) -> tuple[SimulatorState, StepTensors]:
    """`Simulator.advance`, where what the lanes that do not run are left with, and give, is nobody's business."""
    lanes = np.flatnonzero(running)
    if not 0 < len(lanes) <= _WORTH * len(running):
        return simulator.advance(state, executed_BK)
    try:
        picked, step = simulator.advance(state.select(lanes.tolist()), executed_BK[lanes])
    except SimulationDiverged as fault:
        raise SimulationDiverged(fault.what, int(lanes[fault.lane]), fault.step) from None
    state.put(lanes.tolist(), picked)
    place = torch.from_numpy(lanes).to(step.terminated_B.device)
    return state, StepTensors(*(_spread(rows, place, len(running)) for rows in step))


def _spread(rows: Tensor, place: Tensor, count: int) -> Tensor:
    """The rows in their lanes' places, and zeros elsewhere."""
    return rows.new_zeros(count, *rows.shape[1:]).index_copy(0, place, rows)
