"""What a world finds hard: windows are drawn the more often, the worse it predicts them.

Fast balls, bounces and serves are rare in a recording and are what a dream fails at first. The errors are measured
once, by the world as it then is, and written down: the stream stays a function of seed and position.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from data_gen.atomic import write_atomically
from data_gen.windows import Windows
from world_model.objectives.attention_to_change import change_weights
from world_model.sampler import expected
from world_model.training.learner import Precision
from world_model.training.processes import ALONE, Processes
from world_model.world import World

_BATCH = 32
_LEAST = 0.25  # of the mean weight: what is easy is not forgotten


def difficulty_weights(
    windows: Windows,
    world: World,
    exponent: float,
    changed: float,
    file: Path,
    precision: Precision = "float32",
    processes: Processes = ALONE,
) -> npt.NDArray[np.float64]:
    """The weight of each window (over latents): the world's mean error on it to the power of `exponent`."""
    if exponent == 0:
        return windows.evening()
    if not file.exists():  # which none writes before all have looked: they judge together
        errors_R = processes.largest(step_errors(windows, world, changed, precision, processes))
        if processes.is_first:
            content = io.BytesIO()
            np.save(content, errors_R)
            write_atomically(file, content.getvalue())
        processes.barrier()
    return window_weights(windows, np.load(file), exponent)


def window_weights(windows: Windows, errors_R: npt.NDArray[np.float32], exponent: float) -> npt.NDArray[np.float64]:
    """The weight of each window, 1 on average before the easy ones are lifted and the steps evened out."""
    summed = np.concatenate([[0.0], np.cumsum(errors_R, dtype=np.float64)])
    means_W = (summed[windows.first_rows + windows.steps] - summed[windows.first_rows]) / windows.steps
    weights_W = means_W**exponent
    return np.asarray(np.maximum(weights_W / weights_W.mean(), _LEAST) * windows.evening(), np.float64)


@torch.no_grad()
def step_errors(
    windows: Windows, world: World, changed: float, precision: Precision = "float32", processes: Processes = ALONE
) -> npt.NDArray[np.float32]:
    """For every row of the split, how wrong the next latents are in one evaluation; 0 where no window reaches.

    Windows overlap by a third: each step is judged with a third of a window as context, or all that its episode has.
    Of several processes each judges its part; the steps of the others are 0.
    """
    device = world.dynamics.place.device
    context = windows.length // 3
    rows_W, steps_W = windows.first_rows, windows.steps
    errors_R = np.zeros(len(windows.frames), np.float32)
    chosen = np.flatnonzero(_every(windows, windows.length - context))[processes.rank :: processes.size]
    hidden = not processes.is_first
    for first in tqdm(range(0, len(chosen), _BATCH), desc="judging windows", unit="batch", disable=hidden):
        numbers = chosen[first : first + _BATCH]
        batch = windows.take(numbers)
        latents_BTND = torch.from_numpy(batch.frames).to(device, torch.float32)
        now_BTND, next_BTND = latents_BTND[:, :-1], latents_BTND[:, 1:]
        executed_BTK = torch.from_numpy(batch.executed).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            features = world.dynamics.trunk(now_BTND, now_BTND.new_zeros(now_BTND.shape[:2]), executed_BTK)
            features_XNE = features.flatten(0, 1)
            predicted = expected(world.dynamics, features_XNE, now_BTND.flatten(0, 1)).view_as(now_BTND)
        weights_BTN = change_weights(now_BTND, next_BTND, changed, world.config.dynamics.least_change)
        errors_BT = ((predicted - next_BTND).square().mean(-1) * weights_BTN).mean(-1).cpu().numpy()
        errors_BT *= batch.shown
        for errors_T, row, steps, start in zip(errors_BT, rows_W[numbers], steps_W[numbers], batch.starts, strict=True):
            known = 0 if start == 0 else context
            judged = errors_R[row + known : row + steps]
            np.maximum(judged, errors_T[known:steps], out=judged)
    return errors_R


def _every(windows: Windows, stride: int) -> npt.NDArray[np.bool_]:
    """Windows that begin at a multiple of `stride` steps, and the last one of each run."""
    rows = windows.first_rows
    follows = np.concatenate([np.diff(rows) == 1, [False]])  # the next window begins one step later
    begun = np.concatenate([[True], ~follows[:-1]])
    run_first = np.maximum.accumulate(np.where(begun, rows, 0))
    return np.asarray(((rows - run_first) % stride == 0) | ~follows)
