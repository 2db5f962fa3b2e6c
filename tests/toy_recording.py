"""Recordings of the toy game, for tests; run as a script it records into a folder until it is done or killed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from data_gen.behaviours import RandomHold
from data_gen.plan import RANDOM_HOLD, RecordingPlan
from data_gen.policy import Policy
from data_gen.recorder import record
from data_gen.recording import Manifest
from toy_game import COUNTING


def toy_policy(name: str, epsilon: float) -> Policy:
    """The one policy of these recordings."""
    return RandomHold(COUNTING.num_actions, longest=4)


def toy_plan(**changes: Any) -> RecordingPlan:
    """A small plan with every split in it."""
    settings: dict[str, Any] = {
        "game": COUNTING.replace(repeat_action_probability=0.25),
        "policies": {RANDOM_HOLD: ""},
        "held_out": {"other": "0" * 64},
        "epsilons": (0.0, 0.5),
        "steps": 800,
        "test_episodes": 3,
        "validation": 0.3,
        "seed": 7,
        "lanes": 4,
    }
    return RecordingPlan(**settings | changes)


def record_toy(root: Path, workers: int = 1, **changes: Any) -> Manifest:
    """Record the toy game into `root`."""
    return record(toy_plan(**changes), toy_policy, root, workers, progress=False)


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a recording with its content, the lock aside."""
    files = (file for file in root.rglob("*") if file.is_file() and file.name != ".lock")
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


if __name__ == "__main__":
    record_toy(Path(sys.argv[1]), int(sys.argv[2]), steps=int(sys.argv[3]))
