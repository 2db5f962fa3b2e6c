"""A world to dream of in tests: tiny, of random weights, and with episodes of some twenty steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from data_gen.spec import GameSpec
from tiny_world import tiny_starts, tiny_world
from toy_game import COUNTING
from world_model.bundle import save_world
from world_model.simulator import SimulatorConfig

TOY = COUNTING.replace(repeat_action_probability=0.25)
NOISY = SimulatorConfig(temperature=0.5)


def toy_world(folder: Path, game: GameSpec = TOY, seed: int = 0) -> Path:
    """A bundle that is sampled with noise; about one step in twenty ends an episode."""
    world = tiny_world(game, seed)
    with torch.no_grad():
        world.outcome.termination.weight.mul_(0.125)
        world.outcome.termination.bias.copy_(torch.tensor([1.5, -1.5]).repeat(3))
    save_world(folder, world, NOISY, tiny_starts(game), "# A toy world\n")
    return folder


def actions_of(count: int, lanes: int | None = None, seed: int = 0) -> npt.NDArray[np.int64]:
    """Actions of the toy game: [count] or [count, lanes]."""
    shape = (count,) if lanes is None else (count, lanes)
    return np.random.default_rng(seed).integers(TOY.num_actions, size=shape)


def assert_same(one: Any, other: Any) -> None:
    """Equal values of equal types, through tuples, dictionaries and arrays."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), [other[key] for key in one]
    if isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray) and one.dtype == object:
        assert_same(list(one), list(other))
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def generator_of(env: Any) -> dict[str, Any]:
    """The state of an environment's generator."""
    state: dict[str, Any] = env.np_random.bit_generator.state
    return state
