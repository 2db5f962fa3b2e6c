"""Games played side by side, each from a seed: an environment a lane, or the lanes of one dream, by what an id is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec

from data_gen.policy import Actions, Frames
from neural_env.dream_vector import DreamVectorEnv
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
    """Lanes of one dream: one pass of the network for all of them. A lane follows from its own seed and actions."""

    def __init__(self, lanes: int, **options: Any) -> None:
        self._envs = DreamVectorEnv(lanes, autoreset_mode="SameStep", **options)
        self._envs.reset(seed=0)

    def begin(self, lane: int, seed: int, start: str | int | None = None) -> Frames:
        """A new game, from a start of the world's (None: as the options say)."""
        count = self._envs.num_envs
        seeds = [seed if each == lane else None for each in range(count)]
        options: dict[str, Any] = {"reset_mask": np.arange(count) == lane}
        frames, _ = self._envs.reset(seed=seeds, options=options | ({} if start is None else {"start": start}))
        return np.asarray(frames[lane])

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        every = np.zeros(self._envs.num_envs, np.int64)
        every[lanes] = actions
        frames, rewards, terminated, truncated, infos = self._envs.step(every)
        for lane in np.flatnonzero(terminated | truncated):
            frames[lane] = infos["final_obs"][lane]
        chosen = np.asarray(lanes)
        return GameStep(frames[chosen], rewards[chosen], terminated[chosen], truncated[chosen])

    def close(self) -> None:
        self._envs.close()


def open_games(env: str, lanes: int, **options: Any) -> GameLanes:
    """The lanes of an environment id, by what it is."""
    spec = gymnasium.spec(env)
    if is_dream(spec):
        return DreamtGames(lanes, **{**spec.kwargs, **options})
    return SingleGames(env, lanes, **options)
