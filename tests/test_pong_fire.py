"""The script behind the recipes' figures of FIRE: its policies press as they should, and it reads hits as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.record_command import RecordConfig, record_game
from data_gen.probes.pong import read_pong
from data_gen.recording import Recording
from data_gen.windows import Windows
from world_model.training.moments import read_moments

_SCRIPT = Path(__file__).parents[1] / "recipes" / "pong_fire.py"


def _run(*words: str) -> str:
    done = subprocess.run([sys.executable, str(_SCRIPT), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("how", "slow"), [("never", "100%"), ("always", "0%")])
def test_fire_is_pressed_never_or_always_and_speeds_the_ball_up(tmp_path: Path, how: str, slow: str) -> None:
    _run("policies", "--of", "zoo/ppo-b-2", "--out", str(tmp_path / "fire"))
    policies = (str(tmp_path / "fire" / f"ppo-b-2-{how}"),)
    record_game(
        RecordConfig(tmp_path / "played", policies=policies, steps=400, validation=0, lanes=1, max_episode_steps=400)
    )
    told = dict(line.split(": ") for line in _run("hits", "--data", str(tmp_path / "played")).splitlines())
    assert f"slow in the game {slow}" in told.pop(f"FIRE {how}")
    assert list(told.values()) == ["no hits"]


def test_moments_are_hits_of_both_paddles(tmp_path: Path) -> None:
    policies = ("zoo/ppo-5",)
    record_game(
        RecordConfig(tmp_path / "played", policies=policies, steps=400, validation=0, lanes=1, max_episode_steps=400)
    )
    _run("moments", "--data", str(tmp_path / "played"), "--out", str(tmp_path / "hits.json"), "--workers", "1")
    recording = Recording.open(tmp_path / "played")
    entries = recording.entries("train")
    windows = Windows(recording, "train", 1, seed=0)
    rows = read_moments(tmp_path / "hits.json", entries)
    x = read_pong(windows.frames[rows]).ball_x
    assert ((x < 18) | (x > 66)).all()
    assert (x < 18).sum() >= 2 <= (x > 66).sum()
