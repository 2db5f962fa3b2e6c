"""What can be brought to any moment of a recorded game and told which ticks to play: worlds, and twins in their place.

Frames are compared where the ticks are given: nothing sticks by chance there, so that a twin repeats the recording
exactly. That is the floor of all such figures, and it has no noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec

from data_gen.policy import Frames
from data_gen.twin import Twin
from evaluation.gap_report.sides import dream_options
from evaluation.held_out import Stretch
from evaluation.world_tokenizer import rebuilt
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from neural_env.registration import is_dream
from world_model.simulator import Simulator


class Dreamt(NamedTuple):
    """One step of B lanes."""

    frames: Frames
    rewards: npt.NDArray[np.float64]
    terminated: npt.NDArray[np.bool_]
    end_probability: npt.NDArray[np.float64]


class Dreamer(Protocol):
    """Lanes that go on from moments of recorded games by the ticks that they are given."""

    def start(self, stretches: Sequence[Stretch], seeds: Sequence[int]) -> Any:
        """The state of lanes that have seen what was seen until these stretches begin."""
        ...

    def step(self, state: Any, executed_BK: npt.NDArray[np.int64]) -> Dreamt:
        """Go on; the state changes."""
        ...

    def look(self, state: Any, frames: Frames, rewards: npt.NDArray[np.float64]) -> None:
        """Put real frames and rewards in the place of those that were just dreamt."""
        ...

    def rebuilt(self, frames: Frames) -> Frames | None:
        """What is left of real frames where they are seen through a tokenizer; None where there is none."""
        ...


class WorldDreamer:
    """A world's simulator."""

    def __init__(self, dream: Dream) -> None:
        shared = dream.shared
        self._simulator = Simulator(shared.world, dream.options.sampling(shared.sampling))
        self._reach = shared.world.config.dynamics.reach

    def start(self, stretches: Sequence[Stretch], seeds: Sequence[int]) -> Any:
        """See `Dreamer`."""
        state, _ = self._simulator.start([each.context(self._reach) for each in stretches], seeds)
        return [state]

    def step(self, state: Any, executed_BK: npt.NDArray[np.int64]) -> Dreamt:
        """See `Dreamer`."""
        state[0], step = self._simulator.step(state[0], executed_BK)
        return Dreamt(step.frames, step.rewards, step.terminated, step.termination_probability)

    def look(self, state: Any, frames: Frames, rewards: npt.NDArray[np.float64]) -> None:
        """See `Dreamer`."""
        self._simulator.look(state[0], frames, rewards)

    def rebuilt(self, frames: Frames) -> Frames:
        """See `Dreamer`."""
        world = self._simulator.world
        return rebuilt(world.tokenizer, frames, world.dynamics.place.device)


class TwinDreamer:
    """The real game itself, one twin a lane."""

    def __init__(self, spec: EnvSpec) -> None:
        self._spec = spec
        self._twins: list[Twin] = []

    def start(self, stretches: Sequence[Stretch], seeds: Sequence[int]) -> Any:
        """See `Dreamer`."""
        while len(self._twins) < len(stretches):
            self._twins.append(twin_of(self._spec))
        chosen = self._twins[: len(stretches)]
        for twin, each in zip(chosen, stretches, strict=True):
            twin.replay(each.game.reset_seed, each.game.executed[: each.moment])
        frames = np.stack([each.game.frames[each.moment] for each in stretches])
        return chosen, frames, np.zeros(len(chosen), bool)

    def step(self, state: Any, executed_BK: npt.NDArray[np.int64]) -> Dreamt:
        """See `Dreamer`; a game that is over shows its last frame."""
        twins, frames, over = state
        rewards, ended = np.zeros(len(executed_BK)), np.zeros(len(executed_BK), bool)
        for lane, executed_K in enumerate(executed_BK):
            if not over[lane]:
                frames[lane], rewards[lane], ended[lane], truncated, _ = twins[lane].advance(executed_K)
                over[lane] = ended[lane] or truncated
        count = len(executed_BK)
        return Dreamt(frames[:count].copy(), rewards, ended, ended.astype(np.float64))

    def look(self, state: Any, frames: Frames, rewards: npt.NDArray[np.float64]) -> None:
        """The ticks alone have led a twin there."""

    def rebuilt(self, frames: Frames) -> None:
        """A twin has no tokenizer."""

    def close(self) -> None:
        """Free the emulators."""
        while self._twins:
            self._twins.pop().close()


def twin_of(spec: EnvSpec) -> Twin:
    """The twin behind an id; without the wrappers of `gymnasium.make`, which know no ticks."""
    twin = gymnasium.make(spec, disable_env_checker=True).unwrapped
    assert isinstance(twin, Twin)
    return twin


def is_twin(spec: EnvSpec) -> bool:
    """Whether an id is a game of this package or of its user, which can be recorded and replayed."""
    env = gymnasium.make(spec, disable_env_checker=True)
    try:
        return isinstance(env.unwrapped, Twin)
    finally:
        env.close()


def dreamer_of(spec: EnvSpec) -> WorldDreamer | TwinDreamer | None:
    """What an id is inside; None where nobody can look."""
    if is_dream(spec):
        return WorldDreamer(Dream(DreamOptions.of(dream_options(spec))))
    return TwinDreamer(spec) if is_twin(spec) else None
