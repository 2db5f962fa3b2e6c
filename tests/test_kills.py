"""Loop and transfer can be killed at any moment: the same command keeps what was done, and does the rest."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_gen.recording import Recording, summed_steps
from evaluation.transfer.outcome import ARMS, read_outcome
from toy_long_runs import LONG_RUNS, toy_loop, toy_transfer

_KILLS = 5
_DONE = ("scored.json", "round.json")  # of a run, of a round: not to be done again


@pytest.mark.slow
@pytest.mark.parametrize("name", list(LONG_RUNS))
def test_what_was_killed_at_random_moments_ends_whole(name: str, tmp_path: Path) -> None:
    whole, killed, draw = tmp_path / "whole", tmp_path / "killed", random.Random(0)
    for folder in (whole, killed):
        folder.mkdir()
        (toy_transfer if name == "transfer" else toy_loop)(folder)  # worlds and recipes are there before
    begun = time.monotonic()
    assert _started(name, whole).wait() == 0
    seconds = time.monotonic() - begun
    for _ in range(_KILLS):
        process, before = _started(name, killed), _done(killed)
        time.sleep(draw.uniform(0.2, 1) * seconds / 2)
        process.kill()
        process.wait()
        assert before.items() <= _done(killed).items(), "what was done was done again, or was lost"
    before = _done(killed)
    assert _started(name, killed).wait() == 0
    assert before.items() <= _done(killed).items()
    assert _done(killed).keys() == _done(whole).keys()
    _require_whole(name, killed / "out")


def _require_whole(name: str, out: Path) -> None:
    if name == "transfer":
        assert {(run.arm, run.seed) for run in read_outcome(out).runs} == {
            (arm, seed) for arm in ARMS for seed in (0, 1)
        }
        return
    for number in (0, 1):
        each = json.loads((out / f"round-{number}/round.json").read_text())
        assert each["real_steps"] == summed_steps(Recording.open(out / f"round-{number}/data").entries()) <= 1300
    assert "2 of 2 rounds" in (out / "index.html").read_text()


def _started(name: str, folder: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("toy_long_runs.py")
    return subprocess.Popen([sys.executable, str(script), name, str(folder)], stdout=subprocess.DEVNULL)


def _done(folder: Path) -> dict[str, bytes]:
    """What each file that says that something is done says."""
    return {str(file.relative_to(folder)): file.read_bytes() for done in _DONE for file in folder.rglob(done)}
