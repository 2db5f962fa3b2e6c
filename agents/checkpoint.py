"""The state of a training run on disk: the only file of the package that reads a torch archive, and only tensors.

`torch.load(weights_only=True)` without a fallback: a hostile file is refused, never executed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from data_gen.atomic import write_atomically

_COUNTERS = ("num_timesteps", "_n_updates", "_n_calls", "_episode_num")


class InvalidCheckpoint(ValueError):
    """A training state that cannot be read."""


def save_state(path: Path, agent: BaseAlgorithm) -> None:
    """Weights, optimizer, counters and random states; written whole or not at all.

    DQN's replay buffer is not kept (5.6 GB): a resumed run fills a new one before it goes on learning.
    """
    state = {
        "parameters": agent.get_parameters(),
        "counters": {name: getattr(agent, name) for name in _COUNTERS if hasattr(agent, name)},
        "torch_rng": torch.get_rng_state(),
        "numpy_rng": _plain(np.random.get_state(legacy=False)),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path, agent: BaseAlgorithm) -> None:
    """Put the state at `path` into an agent made from the same config."""
    if not path.is_file():
        raise FileNotFoundError(f"no training state at {path}; leave out --resume to begin this run")
    try:
        state: dict[str, Any] = torch.load(path, map_location=agent.device, weights_only=True)
        _put(state, agent)
    except Exception as fault:
        raise InvalidCheckpoint(f"{path} is not a training state of this version: {fault}") from fault


def _put(state: dict[str, Any], agent: BaseAlgorithm) -> None:
    agent.set_parameters(state["parameters"], exact_match=True, device=agent.device)
    for name, count in state["counters"].items():
        setattr(agent, name, count)
    torch.set_rng_state(state["torch_rng"].cpu())
    np.random.set_state(state["numpy_rng"])


def _plain(state: Any) -> dict[str, Any]:
    """NumPy's random state as tensors-and-numbers, which is all that a safe load accepts."""
    return {**state, "state": {**state["state"], "key": state["state"]["key"].tolist()}}
