"""The script behind the recipes' figures of rallies reads shots, and what became of them, as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

_RECIPES = Path(__file__).parents[1] / "recipes"


def _run(script: str, *words: str) -> str:
    done = subprocess.run([sys.executable, str(_RECIPES / script), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("how", "fast"), [("never", 0), ("always", 100)])
def test_shots_are_as_fast_as_fire_makes_them_and_end_as_they_can(tmp_path: Path, how: str, fast: int) -> None:
    _run("pong_fire.py", "policies", "--of", "zoo/ppo-b-2", "--out", str(tmp_path))
    words = ("--policy", str(tmp_path / f"ppo-b-2-{how}"), "--lanes", "4", "--steps", "250")
    told = _run("pong_rally.py", *words, "--where", "game").partition("its own shots: ")
    count, share = re.match(r"(\d+), fast (\d+)%", told[2]).groups()  # type: ignore[union-attr]
    assert int(count) >= 5
    assert int(share) == fast
    ends = [set(re.findall(r"(returned|won|lost|nothing) \d+%", part.partition("shots:")[2])) for part in told[::2]]
    assert ends[0] == {"returned", "lost"}
    assert "won" in re.findall("[a-z]+", told[2])
    assert not {"lost", "nothing"} & set(re.findall("[a-z]+", told[2]))


def test_a_dream_is_told_of_as_the_game_is() -> None:
    told = _run("pong_rally.py", "--policy", "zoo/ppo-b-2", "--lanes", "2", "--steps", "20", "--where", "Pong", "game")
    assert [line for line in told.splitlines() if not line.startswith(" ")] == ["Pong", "game"]
    assert told.count("points in 1,000 steps") == 2
