"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.policy_file import read_record
from toy_dream import TOY, toy_world
from toy_game import COUNTING

_EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_world(tmp_path_factory.mktemp("world") / "toy", TOY.replace(max_steps=12))


@pytest.mark.parametrize("where", ["dream", "real"])
def test_ppo_in_one_file_learns_in_both(world: Path, where: str) -> None:
    env = ["--env", "Dream/World-v0", "--world", str(world)] if where == "dream" else ["--env", "Real/Pong-v0"]
    small = ["--steps", "64", "--lanes", "2", "--rollout", "16", "--batch", "16", "--epochs", "1"]
    command = [sys.executable, str(_EXAMPLES / "ppo.py"), *env, *small]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mean of the last returns: ")
    assert ("nan" in done.stdout) == (where == "real")  # 32 steps end no game of Pong, but several of the toy's


def test_an_agent_goes_from_the_dream_to_the_game(tmp_path: Path) -> None:
    """The toy game learns in its own dream, as the script has it for Pong."""
    toy_world(tmp_path / "world", COUNTING.replace(max_steps=12))
    script = "import neural_env, sys; from toy_game import COUNTING; neural_env.register_game(COUNTING); " + (
        "sys.path.insert(0, sys.argv.pop(1)); import tyro, dream_to_real; "
        "[print(score.env, score.mean) for score in dream_to_real.main(tyro.cli(dream_to_real.Config))]"
    )
    where = ["--dream", "Dream/World-v0", "--real", "Real/Counting-v0", "--options.world", str(tmp_path / "world")]
    small = ["--steps", "64", "--games", "2", "--algo.lanes", "2", "--algo.rollout", "16", "--algo.batch", "16"]
    command = [sys.executable, "-c", script, str(_EXAMPLES), *where, *small, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-2:]] == ["Dream/World-v0", "Real/Counting-v0"]
    assert "evaluation_in_dream" in read_record(tmp_path / "run/policies/step_00000064").training
