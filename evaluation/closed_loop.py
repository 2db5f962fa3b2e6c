"""Many lanes played for a long time by policies that see what the lanes show; what is seen goes into a log per lane.

Works on any Gymnasium vector environment of frames that begins new games in the same step: dreams and twins alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv
from tqdm import tqdm

from data_gen.policy import Frames, Policy
from evaluation.sights import Sight
from world_model.metrics.intervals import Bools, Ints


class LaneLog(NamedTuple):
    """One lane, an entry for each frame that it showed; entry t belongs to the step that led to frame t."""

    rewards: npt.NDArray[np.float64]  # 0 at the first frame of a game
    terminated: Bools
    restarted: Bools  # the first frame of a game, to which no step led
    changed: Bools  # any pixel differs from the frame before
    blank: Bools  # nothing is to be seen
    ball: Bools  # there is a ball, or nobody can tell
    readable: Bools  # all numbers can be read, or nobody can tell
    own: Ints  # scores; empty where the game has no two
    other: Ints


class LaneWatch:
    """Collects the logs of B lanes, frame by frame."""

    def __init__(self, lanes: int, sight: Sight | None) -> None:
        self._sight = sight
        self._rows: list[list[tuple[Any, ...]]] = [[] for _ in range(lanes)]
        self._last: list[Frames | None] = [None] * lanes

    def add(
        self,
        lanes: Sequence[int],
        frames: Frames,
        rewards: Sequence[float],
        terminated: Sequence[bool],
        restarted: bool,
    ) -> None:
        """The next frame of some lanes, and the step that led there."""
        rows = zip(*seen(frames, self._sight), strict=True)
        for lane, frame, reward, over, row in zip(lanes, frames, rewards, terminated, rows, strict=True):
            before = self._last[lane]
            changed = before is None or not np.array_equal(frame, before)
            self._rows[lane].append((reward, over, restarted, changed, *row))
            self._last[lane] = frame.copy()

    def logs(self) -> list[LaneLog]:
        """What was collected."""
        return [LaneLog(*map(np.array, zip(*rows, strict=True))) for rows in self._rows]


def play(
    envs: VectorEnv[Any, Any, Any], policies: Sequence[Policy], steps: int, sight: Sight | None, seed: int
) -> list[LaneLog]:
    """Play `steps` steps in every lane, lane i by policy i modulo their number; `envs` begin anew in the same step."""
    lanes = np.arange(envs.num_envs)
    seeds = np.random.SeedSequence([seed, 3])
    watch = LaneWatch(envs.num_envs, sight)
    frames, _ = envs.reset(seed=seed)
    _begin(policies, lanes, seeds)
    watch.add(lanes.tolist(), frames, [0.0] * len(lanes), [False] * len(lanes), restarted=True)
    for _ in tqdm(range(steps), desc=f"{len(lanes)} lanes", unit="step"):
        frames, rewards, terminated, truncated, infos = envs.step(_actions(policies, frames, lanes))
        over = np.flatnonzero(terminated | truncated)
        shown = frames.copy()
        if len(over):
            shown[over] = np.stack([infos["final_obs"][lane] for lane in over])
        watch.add(lanes.tolist(), shown, rewards.tolist(), terminated.tolist(), restarted=False)
        if len(over):
            watch.add(over.tolist(), frames[over], [0.0] * len(over), [False] * len(over), restarted=True)
            _begin(policies, over, seeds)
    return watch.logs()


def _actions(policies: Sequence[Policy], frames: Frames, lanes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    actions = np.zeros(len(lanes), np.int64)
    for place, policy in enumerate(policies):
        own = lanes[lanes % len(policies) == place]
        if len(own):
            actions[own] = policy(frames[own], own)
    return actions


def _begin(policies: Sequence[Policy], lanes: npt.NDArray[np.int64], seeds: np.random.SeedSequence) -> None:
    for place, policy in enumerate(policies):
        own = lanes[lanes % len(policies) == place]
        if len(own):
            policy.reset(own, np.array([child.generate_state(1)[0] for child in seeds.spawn(len(own))], np.int64))


def seen(frames: Frames, sight: Sight | None) -> tuple[Bools, Bools, Bools, Ints, Ints]:
    """What a log says of frames [B]: blank, ball, readable, own and other score.

    Example:
        >>> seen(np.zeros((1, 84, 84, 3), np.uint8), None)[0].tolist()
        [True]
    """
    nobody_knows, none = np.ones(len(frames), np.bool_), np.zeros(len(frames), np.int64)
    if sight is None:
        flat = frames.reshape(len(frames), -1, frames.shape[-1])
        return np.asarray((flat == flat[:, :1]).all(axis=(1, 2))), nobody_knows, nobody_knows, none, none
    reading = sight.read(frames)
    there = {name: ~np.isnan(place_BD).any(axis=1) for name, place_BD in reading.things.items()}
    readable = np.logical_and.reduce([nobody_knows, *(getattr(reading, number) >= 0 for number in sight.numbers)])
    own = other = none
    if sight.score is not None:
        own, other = getattr(reading, sight.score.own), getattr(reading, sight.score.other)
    return ~np.logical_or.reduce(list(there.values())), there[sight.ball], readable, own, other
