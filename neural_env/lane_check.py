"""Whether a lane's dream depends, on this machine, on how many lanes are computed beside it.

It must not, and `world_model.few_rows` says why it does not; but that is a matter of CPU kernels, so it is tried out:
on a world of the shipped size and random weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from data_gen.games import game
from world_model.blank_world import blank_world
from world_model.conv_tokenizer import ConvTokenizerConfig
from world_model.dynamics import DynamicsConfig
from world_model.outcome import OutcomeConfig
from world_model.simulator import Context, Simulator
from world_model.world import World, WorldConfig

COUNTS, MANY = (1, 2, 3, 8), 32
_STEPS = 3
_MAX_BYTES = 1 << 27

Traces = list[npt.NDArray[np.float64]]  # of each lane: all that its steps gave


def deviating_counts(world: World) -> list[int]:
    """In which numbers of lanes some lane dreams otherwise than among many."""
    simulator = Simulator(world)
    expected = _traces(simulator, range(MANY))
    return [count for count in COUNTS if any(map(_differ, _traces(simulator, range(count)), expected))]


def random_world(seed: int = 0) -> World:
    """A world of Pong as large as the shipped one, that has learned nothing."""
    config = WorldConfig(game("Pong"), ConvTokenizerConfig(), DynamicsConfig(), OutcomeConfig((-1.0, 0.0, 1.0)))
    world, generator = blank_world(config, _MAX_BYTES), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in world.parameters():
            inputs = weights[0].numel() if weights.ndim > 1 else 4
            weights.copy_(torch.randn(weights.shape, generator=generator) / inputs**0.5)
        contents = world.dynamics.glyphs.contents_VD  # no weights; all alike, it would not matter which is drawn
        contents.copy_(torch.rand(contents.shape, generator=generator) * 2 - 1)
    return world


def _traces(simulator: Simulator, lanes: Sequence[int]) -> Traces:
    spec = simulator.world.config.game
    state, frames = simulator.start([_context(lane, spec.frame_size, spec.ticks_per_step) for lane in lanes], lanes)
    rows: list[npt.NDArray[Any]] = [frames.reshape(len(lanes), -1)]
    for turn in range(_STEPS):
        executed = np.array([[(lane + turn) % spec.num_actions] * spec.ticks_per_step for lane in lanes])
        state, step = simulator.step(state, executed)
        rows += [step.frames.reshape(len(lanes), -1), step.reward_probabilities, step.termination_probability[:, None]]
    return list(np.concatenate(rows, axis=1, dtype=np.float64))


def _context(lane: int, size: tuple[int, int], ticks: int) -> Context:
    random = np.random.default_rng(lane)
    frames = random.integers(256, size=(1 + lane % 2, *size, 3), dtype=np.uint8)
    return Context(frames, np.zeros((len(frames) - 1, ticks), np.int64))


def _differ(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    return not np.array_equal(one, other)
