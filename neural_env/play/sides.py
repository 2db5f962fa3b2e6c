"""The two sides of a game, each begun at a start of the world: its dream, and the real one brought to that moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.spec import GameSpec
from data_gen.twin import Twin, TwinState
from neural_env.beginning import Beginning
from neural_env.dream import Dream
from world_model.simulator import Simulator, SimulatorConfig
from world_model.starts import Starts

Ticks = npt.NDArray[np.int64]


class Abandoned(Exception):
    """The player left while the game was being brought to a moment."""


class SideStep(NamedTuple):
    """What one step of one side gave."""

    frame: Frames  # uint8 [H, W, 3]
    reward: float
    over: bool
    executed: Ticks  # [ticks per step]
    surprise: float | None  # above 1: the dream has become unlike real frames; None where that is no question


class DreamSide:
    """The dream, in one lane."""

    def __init__(self, dream: Dream) -> None:
        self._dream = dream
        self._lanes = dream.lanes([np.random.default_rng(0)])

    def begin(self, start: int, seed: int) -> Frames:
        """A new episode, the same as that of `DreamEnv.reset(seed=seed, options={"start": start})`."""
        beginning = Beginning(start=start)
        self._lanes.require(beginning)
        self._lanes.generators[0] = np.random.default_rng(seed)
        self._lanes.begin([0], [beginning])
        frame: Frames = self._lanes.frames[0].copy()
        return frame

    def step(self, action: int, executed: Ticks | None = None) -> SideStep:
        """Dream one step. It draws its own stickiness: ticks from elsewhere are not looked at."""
        step = self._lanes.step(np.array([action]), self._lanes.running)
        reward, surprise = float(step.rewards[0]), float(step.surprise[0])
        return SideStep(
            step.frames[0].copy(),
            reward,
            bool(self._lanes.over[0]),
            step.executed[0],
            None if np.isnan(surprise) else surprise,
        )

    def sample(self, config: SimulatorConfig) -> None:
        """Sample in this way from the next step on."""
        self._lanes.simulator = Simulator(self._dream.shared.world, config)

    def close(self) -> None:
        """Nothing is held that others do not hold too."""


class RealSide:
    """The twin, brought to a start of the world by its emulator's seed and the ticks that were played before."""

    def __init__(self, game: GameSpec, starts: Starts | None, is_abandoned: Callable[[], bool]) -> None:
        self._twin = Twin(game)
        self._starts = starts
        self._is_abandoned = is_abandoned
        self._reached: dict[int, TwinState] = {}  # a start in mid-game is thousands of steps away

    def begin(self, start: int | None, seed: int) -> Frames:
        """A game at that start of the world, or a new one where there is no world."""
        if start is None:
            return self._twin.reset(seed=seed)[0]
        frame = self._bring(start)
        self._twin.np_random = np.random.default_rng(seed)
        return frame

    def step(self, action: int, executed: Ticks | None = None) -> SideStep:
        """Play one step: with the ticks that the dream has drawn, or with stickiness of its own."""
        frame, reward, terminated, truncated, info = (
            self._twin.step(action) if executed is None else self._twin.advance(executed)
        )
        return SideStep(frame, reward, terminated or truncated, np.asarray(info["executed"]), None)

    def close(self) -> None:
        """Free the emulator."""
        self._twin.close()

    def _bring(self, start: int) -> Frames:
        if start in self._reached:
            self._twin.restore_state(self._reached[start])
            return self._reached[start].frame.copy()
        assert self._starts is not None
        moment = self._starts[start]
        frame, _ = self._twin.reset(seed=moment.reset_seed)
        for ticks in moment.prefix:
            if self._is_abandoned():
                raise Abandoned
            frame = self._advanced(ticks)
        with suppress(NotImplementedError):  # not every emulator can be copied
            self._reached[start] = self._twin.clone_state()
        return frame

    def _advanced(self, ticks: npt.NDArray[np.integer[Any]]) -> Frames:
        return self._twin.advance(ticks)[0]


Side = DreamSide | RealSide
