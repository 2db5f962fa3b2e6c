"""Games played side by side, each from a seed: an environment a lane, or the lanes of one dream, by what an id is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import seeding

from data_gen.policy import Actions, Frames
from neural_env.beginning import Beginning
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from neural_env.registration import is_dream


class GameStep(NamedTuple):
    """What a step gave in the lanes that were stepped."""

    frames: Frames  # [B, H, W, 3], the last ones of games that are over
    rewards: npt.NDArray[np.float64]
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]


class GameLanes(Protocol):
    """Lanes in which whole games are played."""

    def begin(self, lane: int, seed: int) -> Frames:
        """A new game; its first frame [H, W, 3]."""
        ...

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        """Go on in these lanes."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class SingleGames:
    """One environment a lane."""

    def __init__(self, env: str | EnvSpec, lanes: int, **options: Any) -> None:
        self.envs = [gymnasium.make(env, **options) for _ in range(lanes)]

    def begin(self, lane: int, seed: int) -> Frames:
        frame, _ = self.envs[lane].reset(seed=seed)
        return np.asarray(frame)

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        steps = [self.envs[lane].step(action) for lane, action in zip(lanes, actions.tolist(), strict=True)]
        frames, rewards, terminated, truncated, _ = zip(*steps, strict=True)
        return GameStep(
            np.stack(frames), np.array(rewards, np.float64), np.array(terminated, bool), np.array(truncated, bool)
        )

    def close(self) -> None:
        for env in self.envs:
            env.close()


class DreamtGames:
    """Lanes of one dream: one pass of the network for those that play.

    A lane follows from its own seed and actions. One that is left out of a step needs a new game before the next.
    """

    def __init__(self, lanes: int, **options: Any) -> None:
        dream = Dream(DreamOptions.of(options))
        self._lanes = dream.lanes([np.random.default_rng(0)] * lanes)  # each game comes with one of its own
        self._usual = dream.options.start

    def begin(self, lane: int, seed: int, start: str | int | None = None) -> Frames:
        """A new game, from a start of the world's (None: as the options say)."""
        beginning = Beginning(start=self._usual if start is None else start)
        self._lanes.require(beginning)
        self._lanes.generators[lane], _ = seeding.np_random(seed)
        self._lanes.begin([lane], [beginning])
        frame: Frames = self._lanes.frames[lane].copy()
        return frame

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        every = np.zeros(len(self._lanes.generators), np.int64)
        every[lanes] = actions
        chosen = np.asarray(lanes)
        step = self._lanes.step(every, np.isin(np.arange(len(every)), chosen))
        return GameStep(step.frames[chosen], step.rewards[chosen], step.terminated[chosen], step.truncated[chosen])

    def close(self) -> None:
        del self._lanes


def open_games(env: str, lanes: int, **options: Any) -> GameLanes:
    """The lanes of an environment id, by what it is."""
    spec = gymnasium.spec(env)
    if is_dream(spec):
        return DreamtGames(lanes, **{**spec.kwargs, **options})
    return SingleGames(env, lanes, **options)
