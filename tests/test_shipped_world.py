"""The worlds that come with the package are whole, small, measured, and dream their games."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import neural_env  # noqa: F401  (registers the ids)
from agents.policy_file import load_policy
from agents.zoo import resolve
from data_gen.games import game
from data_gen.probes import probe
from data_gen.twin import Twin
from world_model.bundle import load_world
from world_model.shipped import SHIPPED, shipped_world

_MAX_MB = {"DoomTakeCover": 15, "Pong": 10}


@pytest.fixture(scope="module", params=list(_MAX_MB))
def game_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(game_name: str) -> Path:
    found = shipped_world(game_name)
    assert found is not None
    return found


def test_it_is_small_and_has_been_measured(game_name: str, folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) <= _MAX_MB[game_name] * 1e6
    card = (folder / "card.md").read_text()
    assert "Not measured yet" not in card
    assert "neural-env world evaluate" in card
    assert "neural-env bench world" in card


def test_its_starts_are_moments_of_the_real_game(game_name: str, folder: Path) -> None:
    """At least 64, beginnings and mid-game; the twin shows the same frame at each."""
    starts = load_world(folder).starts
    kinds = [start.kind for start in starts]
    assert len(starts) >= 64
    assert min(kinds.count("beginning"), kinds.count("middle")) >= 16
    twin = Twin(game(game_name))
    for start in (starts[0], starts[40], starts[len(starts) - 1]):
        frame, _ = twin.replay(start.reset_seed, start.prefix)
        assert np.array_equal(frame, start.frames[-1])
    twin.close()


def test_it_dreams_right_after_install_and_no_emulator_is_loaded(game_name: str, tmp_path: Path) -> None:
    code = (
        f"import sys, gymnasium as gym, neural_env; env = gym.make('neural_env:Dream/{game_name}-v0'); "
        "env.reset(seed=0); env.step(2); assert not {'ale_py', 'vizdoom'} & set(sys.modules), 'an emulator was loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_good_player_sees_ball_and_paddles_in_pong() -> None:
    """No figure, only that it is Pong: the card has the figures."""
    env, policy, read = gymnasium.make("Dream/Pong-v0"), load_policy(resolve("zoo/ppo-5", "Pong")), probe("Pong")
    frame, _ = env.reset(seed=0)
    lane, frames = np.array([0]), []
    policy.reset(lane, lane)
    for _ in range(300):
        frame, _, terminated, _, _ = env.step(policy(frame[None], lane)[0])
        frames.append(frame)
        assert not terminated
    env.close()
    things = read(np.stack(frames)).things
    seen = {name: float(np.isfinite(places).all(axis=-1).mean()) for name, places in things.items()}
    assert seen["own_paddle"] > 0.95
    assert seen["other_paddle"] > 0.8
    assert seen["ball"] > 0.5


def test_fire_flies_in_doom_and_who_stands_still_dies_of_it() -> None:
    """No figure, only that it is that game: the card has the figures."""
    read = probe("DoomTakeCover")
    still, over, seen = np.zeros(8, np.int64), np.zeros(8, np.bool_), []
    with closing(gymnasium.make_vec("Dream/DoomTakeCover-v0", num_envs=8)) as envs:
        envs.reset(seed=0)
        for _ in range(200):
            frames, _, terminated, _, _ = envs.step(still)
            seen.append(np.isfinite(read(frames).things["fireball"]).all(axis=-1))
            over |= terminated
    assert over.sum() >= 4
    assert 0.05 < np.mean(seen) < 0.9


def test_only_games_with_worlds_have_folders() -> None:
    assert {file.name for file in SHIPPED.iterdir()} == {name.lower() for name in _MAX_MB}
