"""What a recording is going to be, decided before it begins: episode k follows from the plan and k alone.

That is why a killed recording can be finished to the same bytes, by any number of workers.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

import numpy as np

from data_gen.spec import GameSpec

RANDOM_HOLD = "random-hold"


class InvalidPlan(ValueError):
    """A plan that asks for something impossible; the message names the field."""


@dataclass(frozen=True)
class EpisodePlan:
    """One episode before it is played."""

    split: str
    index: int
    policy: str
    epsilon: float
    reset_seed: int
    policy_seed: int

    @property
    def file(self) -> str:
        """Where the episode goes, relative to the recording."""
        return f"{self.split}/{self.index:08d}.h5"


@dataclass(frozen=True)
class RecordingPlan:
    """A whole recording before it is played."""

    game: GameSpec
    policies: dict[str, str]  # name -> SHA-256 of what it is; random-hold has none ("")
    held_out: dict[str, str]  # further policies that only the test split shows
    epsilons: tuple[float, ...]  # probability of a random action; blocks take turns
    steps: int  # at least so many in train and validation together
    test_episodes: int
    validation: float  # share of the episodes outside the test split
    seed: int
    lanes: int = 8  # episodes that run side by side with one policy: one batch for its network
    max_episode_steps: int | None = None  # cut episodes short; None: the game's own limit

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("policies", len(self.policies) > 0, "at least one"),
            ("epsilons", bool(self.epsilons) and all(0 <= e <= 1 for e in self.epsilons), "numbers from 0 to 1"),
            ("steps", self.steps >= 0, "0 or more"),
            ("test_episodes", self.test_episodes >= 0, "0 or more"),
            ("validation", 0 <= self.validation < 1, "0 to below 1"),
            ("seed", self.seed >= 0, "0 or more"),
            ("lanes", self.lanes >= 1, "1 or more"),
            ("max_episode_steps", self.max_episode_steps is None or self.max_episode_steps >= 1, "None or 1 or more"),
        ):
            if not holds:
                raise InvalidPlan(f"{name} is {getattr(self, name)!r}; expected {expected}")
        if both := sorted(set(self.policies) & set(self.held_out)):
            raise InvalidPlan(f"{', '.join(both)} cannot be recorded and held out at once")

    @property
    def spec(self) -> GameSpec:
        """The game as it is played here."""
        return self.game.replace(max_steps=self.max_episode_steps) if self.max_episode_steps else self.game

    def to_json(self) -> bytes:
        """As it is written to plan.json, to be compared byte for byte when a recording is resumed."""
        return (json.dumps(self.to_dict(), indent=1, sort_keys=True) + "\n").encode()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    def training_episode(self, index: int) -> EpisodePlan:
        """Episode `index` of train and validation, which are numbered together.

        Validation takes its share evenly, so that also a small recording has some, of changing policies.
        """
        is_validation = floor((index + 1) * self.validation) > floor(index * self.validation)
        return self._episode("validation" if is_validation else "train", "play", index, list(self.policies))

    def test_episode(self, index: int) -> EpisodePlan:
        """Episode `index` of the test split: seeds of its own, held-out policies in turn with the others."""
        return self._episode("test", "test", index, [*self.held_out, *self.policies])

    def _episode(self, split: str, stream: str, index: int, policies: list[str]) -> EpisodePlan:
        block = index // self.lanes
        reset_seed, policy_seed = self._generator(stream, index).integers(2**31, size=2).tolist()
        # Each policy meets each epsilon before any pair comes again.
        epsilon = self.epsilons[block // len(policies) % len(self.epsilons)]
        return EpisodePlan(split, index, policies[block % len(policies)], epsilon, reset_seed, policy_seed)

    def _generator(self, stream: str, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream.encode(), index])
