"""The script behind the recipes' figures of FIRE: its policies press as they should, and it reads hits as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
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
    assert re.fullmatch(r"\d+ hits .* as fast as in the game [\d.]+%, as steep [\d.]+% .*", told.pop("all"))
    assert list(told.values()) == ["no hits"]


def test_moments_are_where_the_ball_reaches_a_paddle_met_or_missed_and_points(tmp_path: Path) -> None:
    policies = ("zoo/ppo-5",)
    record_game(
        RecordConfig(tmp_path / "played", policies=policies, steps=400, validation=0, lanes=1, max_episode_steps=400)
    )
    moments = _moments(tmp_path)
    windows = Windows.open(tmp_path / "played", "train", 1)
    x = read_pong(windows.frames).ball_x
    assert moments.mean() < 0.25
    assert not moments[(x > 24) & (x < 59)].any()
    turned = [
        at for at in range(1, len(x) - 1) if (x[at] - x[at - 1]) * (x[at + 1] - x[at]) < 0 and not 24 < x[at] < 59
    ]
    rewards, _ = windows.outcomes()  # one episode: its steps are the rows
    points = np.flatnonzero(rewards)
    assert len(turned) >= 4 <= len(points)
    assert all(moments[at - 2 : at + 1].any() for at in turned)
    assert all(moments[at - 8 : at].any() for at in points)

    own = _moments(tmp_path, "own")
    assert np.array_equal(own, moments & ~(x < 42))
    assert np.flatnonzero(_moments(tmp_path, "points")).tolist() == [at + later for at in points for later in range(3)]
    assert np.array_equal(_moments(tmp_path, "own", "points"), own | _moments(tmp_path, "points"))


def _moments(folder: Path, *what: str) -> npt.NDArray[np.bool_]:
    """Of each row of the frames, whether it is such a moment."""
    file = folder / "moments.json"
    named = ["--what", *what] if what else []
    _run("moments", "--data", str(folder / "played"), *named, "--out", str(file), "--workers", "1")
    windows, entries = Windows.open(folder / "played", "train", 1), Recording.open(folder / "played").entries("train")
    moments = np.zeros(len(windows.frames), np.bool_)
    moments[read_moments(file, entries)] = True
    return moments
