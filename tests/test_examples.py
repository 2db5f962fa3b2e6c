"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toy_dream import TOY, toy_world

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
