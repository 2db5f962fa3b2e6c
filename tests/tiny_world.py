"""A world of random weights, and a bundle of it, in less than a second: what is tested with it needs no training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from data_gen.spec import GameSpec
from data_gen.twin import Twin
from toy_game import COUNTING
from world_model.blank_world import blank_world
from world_model.bundle import save_world
from world_model.conv_tokenizer import ConvTokenizerConfig
from world_model.dynamics import DynamicsConfig
from world_model.outcome import OutcomeConfig
from world_model.simulator import SimulatorConfig
from world_model.starts import Start, Starts
from world_model.world import World, WorldConfig

_MAX_BYTES = 1 << 24


def tiny_config(game: GameSpec = COUNTING) -> WorldConfig:
    """The sizes of a tiny world."""
    return WorldConfig(
        game=game,
        tokenizer=ConvTokenizerConfig(channels=16, hidden=32),
        dynamics=DynamicsConfig(
            width=32,
            layers=2,
            time_layers=(0, 1),
            head_layers=1,
            heads=2,
            mlp=2,
            reach=6,
            memory_width=16,
            local=32,
            glyphs=32,
        ),
        outcome=OutcomeConfig(rewards=(0.0, 1.0, 2.0), token_width=32, hidden=32),
    )


def tiny_world(game: GameSpec = COUNTING, seed: int = 0) -> World:
    """A world whose frames differ from step to step and with the actions; its weights survive bfloat16 as they are."""
    world = blank_world(tiny_config(game), _MAX_BYTES)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in world.parameters():
            size = weight[0].numel() if weight.ndim > 1 else 4
            weight.copy_(torch.randn(weight.shape, generator=generator) / size**0.5)
        contents = world.dynamics.glyphs.contents_VD
        contents.copy_(torch.rand(contents.shape, generator=generator) * 2 - 1)
        for tensor in world.state_dict().values():
            tensor.copy_(tensor.bfloat16())
    return world.eval()


def tiny_starts(game: GameSpec = COUNTING, count: int = 4, context: int = 4) -> Starts:
    """Real moments of the game, beginnings and middles in turn."""
    twin, starts = Twin(game), []
    for seed in range(count):
        frame, _ = twin.reset(seed=seed)
        frames, ticks = [frame], np.zeros((0, game.ticks_per_step), np.int64)
        for action in np.random.default_rng(seed).integers(game.num_actions, size=(seed % 2) * (context + seed)):
            frame, _, _, _, info = twin.step(action)
            frames, ticks = [*frames, frame], np.concatenate([ticks, info["executed"][None]])
        starts.append(Start(np.stack(frames[-context:]), seed, ticks))
    twin.close()
    return Starts(starts)


def tiny_bundle(folder: Path, game: GameSpec = COUNTING) -> Path:
    """A tiny world with its starts, written to `folder`."""
    save_world(folder, tiny_world(game), SimulatorConfig(), tiny_starts(game), "# A tiny world\n")
    return folder
