"""What came of training in the dream and of its controls: `transfer.json`, which the gap report reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from data_gen.atomic import write_atomically
from world_model.plain_config import from_plain, read_json

Arm = Literal["dream", "real", "matched", "clone", "random"]
ARMS: dict[Arm, str] = {
    "dream": "trained in the dream alone",
    "real": "trained in the real game for as many steps",
    "matched": "trained in the real game for as many steps as the world has seen",
    "clone": "imitation of what the world has seen",
    "random": "draws actions at random",
}
FILE = "transfer.json"
assert set(ARMS) == set(get_args(Arm))


@dataclass(frozen=True)
class Stage:
    """One graded policy on the way; a mean over few games."""

    steps: int
    real: float
    dreamt: float | None  # None where it was not judged in the dream


@dataclass(frozen=True)
class Trained:
    """One run of one arm."""

    arm: Arm
    seed: int
    steps: int  # of environments
    returns: tuple[float, ...]  # of its last policy, in real games
    dreamt_returns: tuple[float, ...]  # of the same, in as many dreamt ones; () without a dream
    chosen_returns: tuple[float, ...]  # as `returns`, of the policy that the dream alone would choose
    curve: tuple[Stage, ...]


@dataclass(frozen=True)
class Outcome:
    """All runs, and what they have in common."""

    game: str
    dream: str  # ids
    real: str
    world: str  # digest
    algorithm: str
    settings: str  # of the algorithm, in words
    steps: int
    real_steps: int | None  # that the world has learned from
    runs: tuple[Trained, ...]

    def of(self, arm: Arm) -> list[Trained]:
        """The runs of an arm."""
        return [run for run in self.runs if run.arm == arm]


def write_outcome(outcome: Outcome, folder: Path) -> None:
    """As `transfer.json`, whole or not at all."""
    write_atomically(folder / FILE, (json.dumps(asdict(outcome), indent=1) + "\n").encode())


def read_outcome(folder: Path) -> Outcome:
    """What `write_outcome` wrote, checked field by field."""
    file = folder / FILE
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; neural-env transfer writes it when all of its runs are done")
    plain: Any = read_json(file.read_bytes())
    return from_plain(Outcome, plain, str(file))
