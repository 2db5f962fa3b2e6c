"""Open-loop rollouts: real frames as context, then the recorded ticks are played again in the dream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.split_cache import WindowBatch
from world_model.simulator import Context, Simulator


class OpenLoop(NamedTuple):
    """What was dreamt after the context of B windows; step t stands beside the window's step `context` + t."""

    frames_BTHWC: Frames
    rewards_BT: npt.NDArray[np.float64]
    terminated_BT: npt.NDArray[np.bool_]
    termination_probability_BT: npt.NDArray[np.float64]


def open_loop(simulator: Simulator, windows: WindowBatch, context: int, seed: int = 0) -> OpenLoop:
    """Dream what follows the first `context` frames of each window, until the window ends."""
    lanes, steps = windows.executed.shape[:2]
    if not 1 <= context <= steps:
        raise ValueError(f"context is {context}; a window of {steps} steps leaves room for 1 to {steps} frames")
    contexts = [
        Context(frames, executed)
        for frames, executed in zip(windows.frames[:, :context], windows.executed[:, : context - 1], strict=True)
    ]
    state, _ = simulator.start(contexts, range(seed, seed + lanes))
    dreamt = []
    for executed_BK in windows.executed[:, context - 1 :].swapaxes(0, 1):
        state, step = simulator.step(state, executed_BK)
        dreamt.append((step.frames, step.rewards, step.terminated, step.termination_probability))
    frames, rewards, terminated, probability = (np.stack(part, axis=1) for part in zip(*dreamt, strict=True))
    return OpenLoop(frames, rewards, terminated, probability)
