"""Pictures of dreams for people: beside the real game, and under every action at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from data_gen.picture import enlarge
from data_gen.policy import Frames
from world_model.simulator import Context, Simulator

_GAP = 4  # pixels of black between pictures


def side_by_side(*columns: Frames) -> Frames:
    """Columns of frames [B, H, W, 3], lane b in row b -> one enlarged picture with even sides.

    Example:
        >>> side_by_side(np.zeros((2, 84, 84, 3), np.uint8), np.zeros((2, 84, 84, 3), np.uint8)).shape
        (676, 676, 3)
    """
    rows = [_joined([enlarge(frame) for frame in lane], axis=1) for lane in zip(*columns, strict=True)]
    picture = _joined(rows, axis=0)
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)))  # H.264 wants even sides


def control_pictures(simulator: Simulator, context: Context, steps: int) -> Iterator[Frames]:
    """Dreams from one moment: each action held in a lane of its own, and nobody's action in the last."""
    actions = [*range(simulator.world.config.game.num_actions), -1]
    state, frames = simulator.start([context] * len(actions), [0] * len(actions))
    ticks = simulator.world.config.game.ticks_per_step
    executed_BK = np.repeat(np.array(actions, np.int64)[:, None], ticks, axis=1)
    columns = -(-len(actions) // 2)
    for _ in range(steps):
        state, step = simulator.step(state, executed_BK)
        frames = step.frames
        padded = np.concatenate([frames, np.zeros((2 * columns - len(actions), *frames.shape[1:]), np.uint8)])
        yield side_by_side(*padded.reshape(2, columns, *frames.shape[1:]).swapaxes(0, 1))


def _joined(pictures: list[Frames], axis: int) -> Frames:
    gap_shape = list(pictures[0].shape)
    gap_shape[axis] = _GAP
    gap = np.zeros(gap_shape, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=axis)
