"""The stage `neural-env agent evaluate`: whole episodes, raw rewards, an interval.

neural-env agent evaluate zoo/ppo-best --env Real/Pong-v0 --episodes 100
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import tyro

from agents.evaluate import evaluate
from agents.policy_file import load_policy
from agents.zoo import resolve
from data_gen.atomic import write_atomically


@dataclass(frozen=True)
class EvaluateConfig:
    """Score a policy on an environment."""

    policy: tyro.conf.Positional[str]  # zoo/<name>, or a path without suffix
    env: str = "Real/Pong-v0"
    episodes: int = 30
    first_seed: int = 0  # episode i is played from seed first_seed + i
    lanes: int = 16
    deterministic: bool | None = None  # default: as the policy's record says
    temperature: float | None = None  # likewise
    out: Path | None = None  # also write the result as JSON


def evaluate_policy(config: EvaluateConfig) -> None:
    """Print mean return, interval and lengths."""
    path = resolve(config.policy, game_in(config.env))
    policy = load_policy(path, config.deterministic, config.temperature)
    score = evaluate(policy, config.env, config.episodes, config.first_seed, config.lanes, progress=True)
    low, high = score.interval()
    print(
        f"{config.policy} on {config.env}: mean return {score.mean:+.2f}, 95 % interval {low:+.2f} to {high:+.2f}, "
        f"{config.episodes} episodes from seed {config.first_seed}, mean length {np.mean(score.lengths):.0f}"
    )
    if config.out is not None:
        result = {"policy": config.policy, **score.to_dict(), "returns": score.returns}
        write_atomically(config.out, (json.dumps(result, indent=1) + "\n").encode())


def game_in(env: str) -> str:
    """The <Game> of Real/<Game>-v0 or Dream/<Game>-v0.

    Example:
        >>> game_in("Real/Pong-v0")
        'Pong'
    """
    spec = gymnasium.spec(env)
    found = re.search(r"/(\w+?)(-v\d+)?$", spec.id)
    return found.group(1) if found else spec.id
