"""Recorded ticks played in a dreamer: left to itself (open loop), or led back to the real frame after every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_gen.policy import Frames
from evaluation.gap_report.dreamers import Dreamer
from evaluation.held_out import Stretch
from world_model.metrics.intervals import Bools, Floats

_BATCH = 24
_BEFORE = 3  # real frames before the first step, for what looks at several


class RollOut(NamedTuple):
    """What was dreamt in the place of B stretches of T steps, and what was real."""

    stretches: list[Stretch]
    before: Frames  # [B, 3, H, W, 3], real; the last one is the frame that both go on from
    real: Frames  # [B, T, H, W, 3]
    frames: Frames  # [B, T, H, W, 3], with the recorded ticks
    rewards: Floats  # [B, T]
    terminated: Bools  # [B, T]
    end_probability: Floats  # [B, T]

    @property
    def executed(self) -> npt.NDArray[np.int64]:
        """What was played, [B, T, ticks]."""
        return np.stack([each.executed for each in self.stretches])

    @property
    def real_rewards(self) -> Floats:
        """What it gave in reality, [B, T]."""
        return np.stack([each.rewards for each in self.stretches])

    @property
    def real_terminated(self) -> Bools:
        """Whether it ended the real game, [B, T]."""
        return np.stack([each.terminated for each in self.stretches])

    @property
    def clusters(self) -> npt.NDArray[np.int64]:
        """The game of each, [B]."""
        return np.array([each.game.index for each in self.stretches])


def roll_outs(
    dreamer: Dreamer,
    stretches: Sequence[Stretch],
    seed: int,
    what: str,
    forced: bool = False,
    executed: npt.NDArray[np.int64] | None = None,
) -> Iterator[RollOut]:
    """Stretches of one length, some at a time; `executed` [W, T, ticks] is played instead of what was recorded."""
    if not stretches:
        return
    steps = stretches[0].steps
    with tqdm(total=len(stretches) * steps, desc=what, unit="step") as bar:
        for first in range(0, len(stretches), _BATCH):
            chosen = list(stretches[first : first + _BATCH])
            ticks = np.stack([each.executed for each in chosen])
            if executed is not None:
                ticks = executed[first : first + _BATCH]
            yield _roll_out(dreamer, chosen, ticks, range(seed + first, seed + first + len(chosen)), forced, bar)


def _roll_out(
    dreamer: Dreamer,
    stretches: list[Stretch],
    executed_BTK: npt.NDArray[np.int64],
    seeds: Sequence[int],
    forced: bool,
    bar: tqdm[None],
) -> RollOut:
    state: Any = dreamer.start(stretches, seeds)
    real = np.stack([_frames(each, 1, each.steps) for each in stretches])
    steps = []
    for t in range(executed_BTK.shape[1]):
        steps.append(dreamer.step(state, executed_BTK[:, t]))
        if forced:
            dreamer.look(state, real[:, t], np.array([each.rewards[t] for each in stretches]))
        bar.update(len(stretches))
    frames, rewards, terminated, probability = (np.stack(part, axis=1) for part in zip(*steps, strict=True))
    before = np.stack([_frames(each, 1 - _BEFORE, 0) for each in stretches])
    return RollOut(stretches, before, real, frames, rewards, terminated, probability)


def _frames(stretch: Stretch, first: int, last: int) -> Frames:
    """The frames from `first` to `last` steps after the stretch begins; those before a game's first are its first."""
    places = np.maximum(0, stretch.moment + np.arange(first, last + 1))
    return np.asarray(stretch.game.frames[places])


def random_ticks(stretches: Sequence[Stretch], num_actions: int, seed: int) -> npt.NDArray[np.int64]:
    """Legal actions drawn at random, each for one step, in the place of what these stretches played."""
    windows, steps, ticks = len(stretches), stretches[0].steps, stretches[0].executed.shape[1]
    actions = np.random.default_rng([seed, 7]).integers(num_actions, size=(windows, steps, 1))
    return np.repeat(actions, ticks, axis=2)
