"""The games that are played side by side in lanes: real ones brought to a start, dreams begun there, or any id by seed.

A lane's episode follows from its start, its seed and its actions. What a side is, its environment says: a twin can be
brought to any moment of its game, a dream to the starts of its world, anything else begins by its reset's seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec

from data_gen.policy import Actions, Frames
from data_gen.twin import Twin
from neural_env.dream_env import DreamEnv
from neural_env.dream_vector import DreamVectorEnv
from world_model.starts import Starts

_WANTED = 1024  # actions that a shuffled side remembers


class SideStep(NamedTuple):
    """What a step gave in the lanes that were stepped."""

    frames: Frames  # [B, H, W, 3], the last ones of games that are over
    rewards: npt.NDArray[np.float64]
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]


class GameSide(Protocol):
    """Lanes of one side."""

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        """A new episode at a start, with randomness of its own; its first frame [H, W, 3]."""
        ...

    def step(self, lanes: Sequence[int], actions: Actions) -> SideStep:
        """Go on in these lanes."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class RealSide:
    """One environment a lane.

    With the starts of a world, a twin is brought to start k by its emulator seed and ticks; without, and for any other
    environment, start k is the reset's seed.
    """

    def __init__(self, spec: EnvSpec, lanes: int, starts: Starts | None) -> None:
        self._envs = [gymnasium.make(spec, disable_env_checker=True) for _ in range(lanes)]
        self._starts = starts

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        env = self._envs[lane]
        frame, _ = env.reset(seed=start)
        twin = env.unwrapped
        if isinstance(twin, Twin):
            if self._starts is not None:
                frame, _ = twin.replay(self._starts[start].reset_seed, self._starts[start].prefix)
            twin.np_random = np.random.default_rng(seed)  # what sticks from here on is this episode's own
        return np.asarray(frame)

    def step(self, lanes: Sequence[int], actions: Actions) -> SideStep:
        steps = [self._envs[lane].step(action) for lane, action in zip(lanes, actions.tolist(), strict=True)]
        frames, rewards, terminated, truncated, _ = zip(*steps, strict=True)
        return SideStep(
            np.stack(frames), np.array(rewards, np.float64), np.array(terminated, bool), np.array(truncated, bool)
        )

    def close(self) -> None:
        for env in self._envs:
            env.close()


class DreamSide:
    """Lanes of one dream: one pass of the network for all of them."""

    def __init__(self, spec: EnvSpec, lanes: int) -> None:
        self._envs = DreamVectorEnv(lanes, autoreset_mode="SameStep", **dream_options(spec))
        self._usual = ["anywhere"] * lanes
        self._envs.reset(seed=0, options={"start": self._usual})

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        count = self._envs.num_envs
        where: list[Any] = [*self._usual]
        where[lane] = start
        seeds = [seed if each == lane else None for each in range(count)]
        frames, _ = self._envs.reset(seed=seeds, options={"start": where, "reset_mask": np.arange(count) == lane})
        return np.asarray(frames[lane])

    def step(self, lanes: Sequence[int], actions: Actions) -> SideStep:
        every = np.zeros(self._envs.num_envs, np.int64)
        every[lanes] = actions
        frames, rewards, terminated, truncated, infos = self._envs.step(every)
        shown = frames.copy()
        for lane in np.flatnonzero(terminated | truncated):
            shown[lane] = infos["final_obs"][lane]
        chosen = np.asarray(lanes)
        return SideStep(shown[chosen], rewards[chosen], terminated[chosen], truncated[chosen])

    def close(self) -> None:
        self._envs.close()


class ShuffledSide:
    """A side on which actions do not matter: each lane gets one that some policy wanted, somewhere and some time ago.

    What is played is as frequent as before, and has nothing to do with what is seen.
    """

    def __init__(self, side: GameSide) -> None:
        self._side = side
        self.shuffle([0])

    def shuffle(self, seed: Sequence[int]) -> None:
        """Begin to draw anew, with nothing wanted yet."""
        self._generator = np.random.default_rng(seed)
        self._wanted: deque[int] = deque(maxlen=_WANTED)

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        return self._side.begin(lane, start, seed)

    def step(self, lanes: Sequence[int], actions: Actions) -> SideStep:
        self._wanted.extend(actions.tolist())
        return self._side.step(lanes, self._generator.choice(np.array(self._wanted), len(actions)))

    def close(self) -> None:
        self._side.close()


def open_side(spec: EnvSpec, lanes: int, starts: Starts | None) -> GameSide:
    """The lanes of an environment id, by what it is."""
    if is_dream(spec):
        return DreamSide(spec, lanes)
    return RealSide(spec, lanes, starts)


def dream_options(spec: EnvSpec) -> dict[str, Any]:
    """How the dream of an id is dreamed; episodes begin where they are told to."""
    options = {name: value for name, value in spec.kwargs.items() if name != "render_mode"}
    return {**options, "start": "anywhere"}


def is_dream(spec: EnvSpec) -> bool:
    """Whether an id is a dream of a world, whose inside can be looked at.

    Example:
        >>> is_dream(gymnasium.spec("Real/Pong-v0"))
        False
    """
    return spec.entry_point in (DreamEnv, f"{DreamEnv.__module__}:{DreamEnv.__qualname__}")
