"""The games that are played side by side in lanes: real ones brought to a start, dreams begun there, or any id by seed.

A lane's episode follows from its start, its seed and its actions. What a side is, its environment says: a twin can be
brought to any moment of its game, a dream to the starts of its world, anything else begins by its reset's seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium.envs.registration import EnvSpec

from agents.games import DreamtGames, GameStep, SingleGames
from data_gen.policy import Actions, Frames
from data_gen.twin import Twin
from neural_env.registration import is_dream
from world_model.starts import Start, Starts

_WANTED = 1024  # actions that a shuffled side remembers


class GameSide(Protocol):
    """Lanes of one side."""

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        """A new episode at a start, with randomness of its own; its first frame [H, W, 3]."""
        ...

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        """Go on in these lanes."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class RealSide:
    """One environment a lane.

    With the starts of a world, a twin is brought to start k by its emulator seed and ticks; where games begin alike
    whatever the emulator's seed, as in Doom, that is the episode's own. Without, and for any other environment, start k
    is the reset's seed.
    """

    def __init__(self, spec: EnvSpec, lanes: int, starts: Starts | None) -> None:
        self._games = SingleGames(spec, lanes, disable_env_checker=True)
        self._starts = starts

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        env = self._games.envs[lane]
        frame, _ = env.reset(seed=start)
        twin = env.unwrapped
        if isinstance(twin, Twin):
            if self._starts is not None:
                frame = _brought_to(twin, self._starts[start], seed)
            twin.np_random = np.random.default_rng(seed)  # what sticks from here on is this episode's own
        return np.asarray(frame)

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        return self._games.step(lanes, actions)

    def close(self) -> None:
        self._games.close()


def _brought_to(twin: Twin, start: Start, seed: int) -> Frames:
    """The frame of the start: of a game of the episode's own, if that begins alike, else of the one that was recorded.

    From one seed, a game without stickiness is the same one again and again.
    """
    if start.kind == "beginning":
        frame, _ = twin.reset(seed=seed)
        if np.array_equal(frame, start.frames[-1]):
            return np.asarray(frame)
    return np.asarray(twin.replay(start.reset_seed, start.prefix)[0])


class DreamSide:
    """Lanes of one dream, begun at its world's starts."""

    def __init__(self, spec: EnvSpec, lanes: int) -> None:
        self._games = DreamtGames(lanes, **dream_options(spec))

    def begin(self, lane: int, start: int, seed: int) -> Frames:
        return self._games.begin(lane, seed, start)

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
        return self._games.step(lanes, actions)

    def close(self) -> None:
        self._games.close()


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

    def step(self, lanes: Sequence[int], actions: Actions) -> GameStep:
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
