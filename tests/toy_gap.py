"""The toy game for the gap report: policies that follow the ball more or less, a tiny profile, and dreams with faults.

A fault is planted in a twin that stands in the dream's place, so that closed loop and open loop both have it. It begins
where the episode does: what leads up to a start is replayed as it was.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from data_gen.policy import Actions, Frames, Lanes
from data_gen.twin import Twin
from evaluation.gap_report.profile import Profile
from neural_env import register_game
from toy_game import COLUMNS, COUNTING, SIDE

GAME = COUNTING.replace(name="StickyCounting", repeat_action_probability=0.25)
TINY = Profile(
    "tiny",
    episodes=10,
    null_episodes=8,
    max_steps=None,
    watched=0,
    recorded=2,
    recorded_steps=60,
    forced=24,
    rollouts=24,
    horizon=12,
    starts=6,
    inverse_steps=60,
    timed=0.05,
    draws=300,
)


class Follower:
    """Names the ball's column, but for a share of its actions that are random."""

    def __init__(self, mistakes: float) -> None:
        self._mistakes = mistakes
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, lanes: Lanes, seeds: npt.NDArray[np.int64]) -> None:
        for lane, seed in zip(lanes.tolist(), seeds.tolist(), strict=True):
            self._generators[lane] = np.random.default_rng(seed)

    def __call__(self, frames: Frames, lanes: Lanes) -> Actions:
        columns = (frames[:, 18, SIDE // COLUMNS // 2 :: SIDE // COLUMNS, 0] > 127).argmax(axis=1)
        draws = np.array([self._generators[lane].random(2) for lane in lanes.tolist()])
        return np.where(draws[:, 0] < self._mistakes, (draws[:, 1] * COLUMNS).astype(np.int64), columns)


FOLLOWERS = {"random": Follower(1.0), **{f"follow-{share:g}": Follower(share) for share in (0.8, 0.6, 0.4, 0.2, 0.0)}}


class Faulty(Twin):
    """The real game with one fault."""

    def __init__(self, fault: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._fault, self._replaying = fault, False
        self._last: list[Any] = []  # the last ticks, reward or frame, for what comes one step late
        self._draws = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frames, dict[str, Any]]:
        self._last = []
        return super().reset(seed=seed, options=options)

    def replay(self, seed: int, executed: npt.NDArray[np.integer[Any]]) -> tuple[Frames, dict[str, Any]]:
        self._replaying = True
        found = super().replay(seed, executed)
        self._replaying = False
        return found

    def advance(self, executed: Any) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        if self._replaying:
            return super().advance(executed)
        ticks = np.asarray(executed)
        if self._fault == "shuffled actions":
            ticks = np.full(len(ticks), self._draws.integers(COLUMNS))
        if self._fault == "mirrored actions":
            ticks = COLUMNS - 1 - ticks
        if self._fault == "action one step late":
            self._last, ticks = [ticks], (self._last or [np.ones(len(ticks), np.int64)])[0]
        assert self._frame is not None
        before = self._frame.copy()
        frame, reward, terminated, truncated, info = super().advance(ticks)
        if self._fault == "frozen frame":
            frame = self._frame = before
        if self._fault == "frame one step late":
            frame = before
        if self._fault == "clipped rewards":
            reward = float(np.sign(reward))
        if self._fault == "reward one step late":
            self._last, reward = [reward], (self._last or [0.0])[0]
        if self._fault == "phantom rewards":
            reward += float(self._draws.random() < 0.3)
        if self._fault == "lossy frames":
            frame = (frame // 64 * 64 + 32).astype(np.uint8)
        if self._fault == "missing ball":
            frame[SIDE // 3 : 2 * SIDE // 3] = 0
        if self._fault == "truncation as termination" and self._steps >= 12:
            terminated = self._over = True
        if self._fault == "never ends" and terminated:
            terminated, truncated = False, True
        return frame, reward, terminated, truncated, info


def register() -> str:
    """The toy game's id, with all faulty dreams of it registered."""
    real = register_game(GAME)
    for fault in FAULTS:
        if faulty_id(fault) not in gymnasium.registry:
            gymnasium.register(
                faulty_id(fault), entry_point="toy_gap:Faulty", kwargs={"fault": fault, "game": GAME.to_dict()}
            )
    return real


def faulty_id(fault: str) -> str:
    """The id of a dream with this fault."""
    return f"Faulty/{fault.title().replace(' ', '')}-v0"


FAULTS = (
    *("shuffled actions", "mirrored actions", "action one step late", "frozen frame", "frame one step late"),
    *("reward one step late", "phantom rewards", "lossy frames", "missing ball", "truncation as termination"),
    *("never ends", "clipped rewards"),
)
