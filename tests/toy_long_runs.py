"""The loop and the transfer of the toy game: a few steps of everything. A script runs them until done or killed.

python tests/toy_long_runs.py transfer FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import neural_env
from agents.algorithms import PPOConfig
from agents.network import FrameNetworkConfig
from evaluation.loop.command import LoopConfig, loop
from evaluation.transfer.command import TransferConfig, transfer
from neural_env.dream_options import DreamOptions
from tiny_world import tiny_bundle
from toy_game import COUNTING
from toy_recording import record_toy

LOOPED = COUNTING.replace(name="LoopCounting", max_steps=40)
TRANSFERRED = COUNTING.replace(name="ShortCounting", max_steps=20)
RECIPE = {
    "preset": {
        "name": "nano",
        "tokenizer": {"name": "conv", "channels": 16, "hidden": 32},
        "dynamics": {"width": 32, "layers": 2, "time_layers": [0], "heads": 2, "reach": 4, "memory_width": 16},
    },
    **{
        name: {"batch": 8, "steps": 2, "warmup": 1, "evaluate_every": 2}
        for name in ("tokenizer_fit", "dynamics_fit", "own_output_fit")
    },
    "window": 4,
    "beginnings": 1,
    "middles": 2,
    "threads": 1,
}
_ALGO = PPOConfig(lanes=2, rollout=16, batch=16, epochs=1, learning_rate=1e-2)  # else they still play at random
_DREAM = DreamOptions(max_episode_steps=10)


def toy_loop(folder: Path) -> LoopConfig:
    """Two rounds from nothing."""
    neural_env.register_game(LOOPED)
    (folder / "recipe.json").write_text(json.dumps(RECIPE))
    return LoopConfig(
        folder / "out",
        LOOPED.name,
        rounds=2,
        real_steps=1300,
        recipe=folder / "recipe.json",
        agent_steps=60,  # which is no whole number of rollouts
        episodes=1,
        algo=_ALGO,
        network=FrameNetworkConfig(channels=(4, 4, 4), width=16),
        dream=_DREAM,
    )


def toy_transfer(folder: Path) -> TransferConfig:
    """All arms, two seeds each, with a world of random weights."""
    neural_env.register_game(TRANSFERRED)
    if not (folder / "world").exists():
        tiny_bundle(folder / "world", TRANSFERRED)
        record_toy(folder / "recording", game=TRANSFERRED)
    neural_env.register_dream(TRANSFERRED.name, folder / "world")
    return TransferConfig(
        TRANSFERRED.name,
        folder / "out",
        data=folder / "recording",
        steps=64,
        seeds=2,
        episodes=3,
        dream=_DREAM,
        algo=_ALGO,
        network=FrameNetworkConfig(channels=(4, 4, 4), width=16),
        reward_scale=0.5,
        judged=2,
        judged_episodes=1,
        clone_steps=2,
        workers=1,
    )


LONG_RUNS: dict[str, Callable[[Path], None]] = {
    "loop": lambda folder: loop(toy_loop(folder)),
    "transfer": lambda folder: transfer(toy_transfer(folder)),
}


if __name__ == "__main__":
    LONG_RUNS[sys.argv[1]](Path(sys.argv[2]))
