"""Score a policy on an environment: whole episodes, raw rewards, stated seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from agents.games import GameLanes, open_games
from data_gen.policy import Frames, Policy


@dataclass(frozen=True)
class Score:
    """What a policy got, episode by episode."""

    env: str
    seeds: tuple[int, ...]
    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean raw return."""
        return float(np.mean(self.returns))

    def interval(self, level: float = 0.95, resamples: int = 2000) -> tuple[float, float]:
        """Percentile bootstrap over episodes of the mean return."""
        returns = np.array(self.returns)
        picks = np.random.default_rng(0).integers(len(returns), size=(resamples, len(returns)))
        tail = (1 - level) / 2
        low, high = np.quantile(returns[picks].mean(axis=1), [tail, 1 - tail])
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """For a manifest: mean, interval, and how it was measured."""
        return {
            "env": self.env,
            "episodes": len(self.seeds),
            "seeds": [min(self.seeds), max(self.seeds)],
            "mean_return": round(self.mean, 3),
            "interval_95": [round(bound, 3) for bound in self.interval()],
            "mean_length": round(float(np.mean(self.lengths)), 1),
        }


def evaluate(
    policy: Policy, env: str, episodes: int, first_seed: int = 0, lanes: int = 16, progress: bool = False, **kwargs: Any
) -> Score:
    """Play `episodes` whole games, game i from seed first_seed + i, `lanes` of them side by side.

    Example:
        >>> from agents.frozen import FrozenPolicy
        >>> from agents.view import View
        >>> evaluate(FrozenPolicy(6, View(), constant=0), "Real/Pong-v0", episodes=2, max_episode_steps=5).lengths
        (5, 5)
    """
    games = open_games(env, min(lanes, episodes), **kwargs)
    try:
        return _play_all(policy, env, games, min(lanes, episodes), episodes, first_seed, progress)
    finally:
        games.close()


def _play_all(
    policy: Policy, env: str, games: GameLanes, lanes: int, episodes: int, first_seed: int, progress: bool
) -> Score:
    returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
    waiting = iter(range(episodes))
    running: dict[int, int] = {}  # lane -> episode
    frames: dict[int, Frames] = {}

    def begin(lane: int) -> None:
        episode = next(waiting, None)
        if episode is None:
            running.pop(lane, None)
            return
        running[lane] = episode
        frames[lane] = games.begin(lane, first_seed + episode)
        policy.reset(np.array([lane]), np.array([first_seed + episode]))

    for lane in range(lanes):
        begin(lane)
    with tqdm(total=episodes, desc=env, unit="episode", leave=False, disable=not progress) as bar:
        while running:
            chosen = np.array(sorted(running))
            step = games.step(chosen.tolist(), policy(np.stack([frames[lane] for lane in chosen.tolist()]), chosen))
            played = [running[lane] for lane in chosen.tolist()]
            returns[played] += step.rewards
            lengths[played] += 1
            frames |= dict(zip(chosen.tolist(), step.frames, strict=True))
            for lane in chosen[step.terminated | step.truncated].tolist():
                bar.update()
                begin(lane)
    seeds = tuple(range(first_seed, first_seed + episodes))
    return Score(env, seeds, tuple(returns.tolist()), tuple(lengths.tolist()))
