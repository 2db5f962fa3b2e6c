"""The real game in a world's place: what is measured on it must be perfect, and a fault planted in it must be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from data_gen.policy import Frames
from data_gen.twin import Twin, TwinState
from evaluation.held_out import HeldOutGame, Stretch
from world_model.simulator import Context, Step

Known = dict[tuple[bytes, bytes], TwinState]  # by what is to be seen and was played


@dataclass
class TwinLanes:
    """The state of lanes that are twins."""

    moments: list[TwinState]
    shown: list[Frames]  # the frame of each
    due: list[list[float]]  # rewards that are yet to be told
    latents_BND: Any = field(default_factory=lambda: torch.zeros(1))

    def select(self, lanes: Sequence[int]) -> TwinLanes:
        """A copy of some lanes."""
        return TwinLanes(
            [self.moments[lane] for lane in lanes],
            [self.shown[lane] for lane in lanes],
            [list(self.due[lane]) for lane in lanes],
        )


class TwinSimulator:
    """Plays on from the moments that it knows.

    The faults: `actions` renames those that are executed, `late_frames` shows each frame a step too late, and
    `late_rewards` tells each reward so many steps too late.
    """

    def __init__(
        self,
        twin: Twin,
        known: Known,
        actions: Sequence[int] = (0, 1, 2, 3, 4, 5),
        late_frames: bool = False,
        late_rewards: int = 0,
    ) -> None:
        self._twin, self._known, self._actions = twin, known, np.array(actions)
        self._late_frames, self._late_rewards = late_frames, late_rewards

    def start(self, contexts: Sequence[Context], seeds: Sequence[int]) -> tuple[Any, Frames]:
        moments = [self._known[_name(context)] for context in contexts]
        frames = [moment.frame for moment in moments]
        return TwinLanes(moments, frames, [[0.0] * self._late_rewards for _ in moments]), np.stack(frames)

    def step(self, state: Any, executed_BK: npt.NDArray[np.int64]) -> tuple[Any, Step]:
        frames, rewards, ends = [], [], []
        for lane, executed_K in enumerate(self._actions[executed_BK]):
            self._twin.restore_state(state.moments[lane])
            frame, reward, terminated, _, _ = self._twin.advance(executed_K)
            frames.append(state.shown[lane] if self._late_frames else frame)
            state.due[lane].append(reward)
            rewards.append(state.due[lane].pop(0))
            ends.append(terminated)
            state.shown[lane] = frame
            state.moments[lane] = state.moments[lane] if terminated else self._twin.clone_state()
        ended = np.array(ends)
        return state, Step(
            np.stack(frames), np.array(rewards), ended, np.zeros((len(ended), 3)), ended.astype(np.float64)
        )

    def look(self, state: Any, frames: Frames, rewards: npt.NDArray[np.float64]) -> None:
        """The ticks alone have led a twin there."""


def known_moments(twin: Twin, games: Sequence[HeldOutGame], reach: int) -> Known:
    """Every moment of some games from which they went on."""
    return {
        _name(Stretch(game, moment, 1).context(reach)): state
        for game in games
        for moment, state in enumerate(_moments(twin, game))
    }


def _name(context: Context) -> tuple[bytes, bytes]:
    return context.frames.tobytes(), np.ascontiguousarray(context.executed).tobytes()


def _moments(twin: Twin, game: HeldOutGame) -> list[TwinState]:
    """Every moment of a game but its last."""
    twin.reset(seed=game.reset_seed)
    states = [twin.clone_state()]
    for executed_K in game.executed[:-1]:
        twin.advance(executed_K)
        states.append(twin.clone_state())
    return states
