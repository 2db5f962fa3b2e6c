"""A dream says when it has left the data, and ends there if asked to."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from neural_env.dream_options import InvalidOption
from tiny_world import tiny_starts, tiny_world
from toy_dream import NOISY, TOY
from world_model.bundle import save_world
from world_model.patch_tokenizer import PatchTokenizer, PatchTokenizerConfig
from world_model.picture import Picture
from world_model.pixels import to_pixels
from world_model.surprise import LEAST_LIMIT, limit_of_real

_PATIENCE = 8  # steps in a row


def _world(folder: Path, limit: float) -> Path:
    """A world without ends whose every frame is more surprising than `limit`, which a random one's surely are."""
    world = tiny_world(TOY)
    with torch.no_grad():
        world.outcome.termination.weight.zero_()
        world.outcome.termination.bias.copy_(torch.tensor([20.0, -20.0]).repeat(3))
    world.strangeness_limit.fill_(limit)
    save_world(folder, world, NOISY, tiny_starts(TOY), "# A world adrift\n")
    return folder


def _ends(folder: Path, steps: int, **options: str) -> list[tuple[bool, bool]]:
    env = gymnasium.make("Dream/World-v0", world=str(folder), **options).unwrapped
    env.reset(seed=0)
    ends = []
    for _ in range(steps):
        ends.append(env.step(0)[2:4])
        if any(ends[-1]):
            break
    env.close()
    return ends


def test_a_dream_adrift_is_truncated_after_eight_surprising_steps_if_asked_to(tmp_path: Path) -> None:
    adrift = _world(tmp_path / "adrift", limit=1e-6)
    assert _ends(adrift, 20, on_drift="truncate") == [(False, False)] * (_PATIENCE - 1) + [(False, True)]
    assert _ends(adrift, 20, on_drift="report") == [(False, False)] * 20
    at_home = _world(tmp_path / "at_home", limit=100.0)
    assert _ends(at_home, 20, on_drift="truncate") == [(False, False)] * 20


def test_a_moment_remembers_for_how_long_the_dream_has_been_odd(tmp_path: Path) -> None:
    env = gymnasium.make("Dream/World-v0", world=str(_world(tmp_path / "w", 1e-6)), on_drift="truncate").unwrapped
    env.reset(seed=0)
    for _ in range(5):
        env.step(0)
    moment = env.clone_state()
    env.reset(seed=1)
    assert [env.step(0)[3] for _ in range(5)] == [False] * 5
    env.restore_state(type(moment).from_bytes(moment.to_bytes()))
    assert [env.step(0)[3] for _ in range(3)] == [False, False, True]


def test_every_lane_reports_its_own_surprise(tmp_path: Path) -> None:
    folder = str(_world(tmp_path / "w", 0.01))
    envs = gymnasium.make_vec("Dream/World-v0", num_envs=3, world=folder)
    env = gymnasium.make("Dream/World-v0", world=folder)
    envs.reset(seed=4)
    env.reset(seed=6)
    for _ in range(5):
        together, alone = envs.step(np.zeros(3, np.int64))[4], env.step(0)[4]
    assert together["surprise"][2] == alone["surprise"] > 0
    assert len(set(together["surprise"])) == 3


def test_an_unknown_way_of_meeting_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="on_drift is 'stop'; expected 'report' or 'truncate'"):
        gymnasium.make("Dream/World-v0", world=str(_world(tmp_path / "w", 1.0)), on_drift="stop")


def test_one_real_frame_in_a_thousand_is_a_surprise() -> None:
    world = tiny_world(TOY)
    frames = torch.randint(
        256, (2000, *TOY.frame_size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    world.calibrate_surprise(frames)
    latents = world.tokenizer.encode(to_pixels(frames))
    surprise = world.surprise(Picture.of(world.tokenizer, latents))
    assert int((surprise > 1).sum()) == 2


def test_where_latents_are_pixels_rounding_is_no_surprise() -> None:
    tokenizer = PatchTokenizer(PatchTokenizerConfig(), (24, 24))
    frames = torch.randint(256, (8, 24, 24, 3), dtype=torch.uint8)
    assert limit_of_real(tokenizer, frames) == LEAST_LIMIT
    latents = tokenizer.encode(to_pixels(frames))
    assert bool((Picture.of(tokenizer, latents).strangeness_BN < LEAST_LIMIT).all())
