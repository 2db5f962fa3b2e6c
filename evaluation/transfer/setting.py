"""What all runs of a command have in common: how agents are trained, and how they are scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from agents.algorithms import DQNConfig, PPOConfig
from agents.network import FrameNetworkConfig
from data_gen.recording import Recording, summed_steps
from data_gen.registration import twin_id
from evaluation.transfer.outcome import Arm
from neural_env.dream_options import DreamOptions
from neural_env.registration import dream_id
from world_model.plain_config import to_plain


class Unready(ValueError):
    """An arm that cannot be run."""


@dataclass(frozen=True)
class RunsConfig:
    """Agents of one kind, and the games that they are scored on."""

    game: tyro.conf.Positional[str]  # such as Pong: Dream/Pong-v0 and Real/Pong-v0
    out: Path | None = None  # default: a folder named for the command and the game
    steps: int = 1_000_000  # of each run
    seeds: int = 3  # runs of each kind
    episodes: int = 100  # games that each run's policy is scored on
    dream: DreamOptions = field(default_factory=DreamOptions)  # how the dream is dreamed
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)
    reward_scale: float = 1.0  # agents learn from rewards times this
    judged: int = 10  # times that a run is judged on its way
    judged_episodes: int = 16  # games on each side, each time; a mean of 3 is off by some four points of Pong
    evaluate_steps: int | None = None  # at most, of a dreamt game: in a poor world some never end
    first_seed: int = 60_000_000  # of the games at the end
    workers: int = 2  # runs at a time

    def __post_init__(self) -> None:
        if self.evaluate_steps is not None and self.evaluate_steps < 1:
            raise ValueError(f"evaluate_steps is {self.evaluate_steps}; expected at least 1")


@dataclass(frozen=True)
class Setting:
    """A config with what follows from it."""

    config: RunsConfig
    out: Path
    data: Path | None = None
    real_steps: int | None = None  # that the world has learned from
    clone_steps: int = 0

    def require(self, arm: Arm) -> None:
        """An error now rather than after hours, if an arm cannot be run."""
        if arm in ("matched", "clone") and not self.real_steps:
            raise Unready(f"{self.data} has no steps to learn from; the arm {arm!r} needs the world's recording")

    def folder(self, arm: Arm, seed: int) -> Path:
        """Of one run."""
        return self.out / f"{arm}-{seed}"

    @property
    def dream_id(self) -> str:
        """Of the game."""
        return dream_id(self.config.game)

    @property
    def real_id(self) -> str:
        """Of the game."""
        return twin_id(self.config.game)

    @property
    def in_words(self) -> str:
        """The algorithm's settings in one line."""
        named = [f"{name} {value}" for name, value in to_plain(self.config.algo).items() if name != "name"]
        scale = self.config.reward_scale
        return ", ".join(named if scale == 1 else [*named, f"reward_scale {scale}"])


def real_steps_in(data: Path) -> int:
    """The steps of a recording that worlds learn from."""
    return summed_steps(Recording.open(data).entries("train"))
