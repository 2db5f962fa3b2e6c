"""An agent learns in the dream of a game, never touches the emulator, and then plays the real game.

python examples/dream_to_real.py --steps 1000000
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from agents.algorithms import PPOConfig
from agents.evaluate import Score, evaluate
from agents.policy_file import load_policy
from agents.train import TrainConfig, train
from neural_env.dream_options import DreamOptions


@dataclass(frozen=True)
class Config:
    """From the dream to the game."""

    dream: str = "Dream/Pong-v0"
    real: str = "Real/Pong-v0"
    options: DreamOptions = field(default_factory=DreamOptions)  # how it is dreamed
    algo: PPOConfig = PPOConfig()  # noqa: RUF009  (frozen)
    steps: int = 1_000_000
    games: int = 30  # in which the agent is scored, on each side
    out: Path = Path("runs/dream_to_real")


def main(config: Config) -> tuple[Score, Score]:
    """Train in the dream, then score the agent in the dream and in the game."""
    train(
        TrainConfig(
            out=config.out,
            env=config.dream,
            dream=config.options,
            algo=config.algo,
            steps=config.steps,
            evaluate_every=config.steps,
            evaluate_episodes=1,
        )
    )
    policy = load_policy(config.out / "policies" / f"step_{config.steps:08d}")
    return (
        evaluate(policy, config.dream, config.games, **config.options.given()),
        evaluate(policy, config.real, config.games),
    )


if __name__ == "__main__":
    for score in main(tyro.cli(Config)):
        low, high = score.interval()
        print(f"{score.env}: {score.mean:+.2f} ({low:+.2f} to {high:+.2f})")
