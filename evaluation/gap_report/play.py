"""Play the planned episodes of one side in lanes, and sum up each.

An episode follows from its plan and the seed of the run; lanes only decide what runs beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from data_gen.policy import Actions, Frames, Lanes, Policy
from evaluation.closed_loop import seen
from evaluation.gap_report.episodes import HORIZONS, Episode, Planned
from evaluation.gap_report.sides import GameSide
from evaluation.sights import Sight
from world_model.metrics.lanes import Limits, first_death
from world_model.metrics.score import read_score

OnSteps = Callable[[int, Sequence[int]], object]  # steps made, and the lengths of the episodes that they ended


class Watching(NamedTuple):
    """What is looked at in the pictures, and when they are dead."""

    sight: Sight | None
    limits: Limits
    watched: int  # episodes of each policy whose pictures are read


class Seen(NamedTuple):
    """What is kept of one frame."""

    changed: bool
    blank: bool
    ball: bool
    readable: bool
    own: int
    other: int


class _Lane:
    """One lane while its episode lasts."""

    def __init__(self, plan: Planned, frame: Frames, watching: Watching) -> None:
        self.plan, self.frame = plan, frame
        self.limits = watching.limits
        self.sight = watching.sight if plan.place < watching.watched else None
        self._motion = 0.0
        self._rewards: list[float] = []
        self._seen: list[Seen] = []

    @property
    def steps(self) -> int:
        """How many there have been."""
        return len(self._rewards) - 1

    def add(self, frame: Frames, reward: float, look: tuple[Any, ...]) -> None:
        """The next frame, or the first one, with what is seen in it."""
        motion = cv2.norm(frame, self.frame, cv2.NORM_L1) / frame.size
        self._motion += motion
        self._rewards.append(reward)
        self._seen.append(Seen(motion > 0 or not self._seen, *look))
        self.frame = frame

    def episode(self, ended: str) -> Episode:
        """What came of it."""
        rewards = np.array(self._rewards)
        changed, blank, ball, readable, own, other = (np.array(column) for column in zip(*self._seen, strict=True))
        died = first_death(changed, blank, ball, readable, self.limits).step
        due = shown = made_up = 0
        if self.sight is not None and self.sight.score is not None and np.isin(rewards, (-1, 0, 1)).all():
            first, last = np.arange(len(rewards)) == 0, np.arange(len(rewards)) == len(rewards) - 1
            score = self.sight.score
            reading = read_score(own, other, rewards, last & (ended == "terminated"), first, score.lag, score.points)
            due, made_up = int(reading.follows.counts.sum()), int(reading.phantoms.sum())
            shown = int((reading.follows.holds & reading.follows.counts).sum())
        plan, steps = self.plan, len(rewards) - 1
        after_16, after_64, after_256, after_1024 = (float(rewards[: each + 1].sum()) for each in HORIZONS)
        return Episode(
            side=plan.side,
            policy=plan.policy,
            place=plan.place,
            start=plan.start,
            length=steps,
            ended=ended,
            total=float(rewards.sum()),
            total_16=after_16,
            total_64=after_64,
            total_256=after_256,
            total_1024=after_1024,
            gains=int((rewards > 0).sum()),
            losses=int((rewards < 0).sum()),
            motion=self._motion / max(1, steps),
            died=-1 if died is None else died,
            points_due=due,
            points_shown=shown,
            points_made_up=made_up,
        )


def play_episodes(
    side: GameSide,
    lanes: int,
    plan: Sequence[Planned],
    policies: Mapping[str, Policy],
    max_steps: int | None,
    watching: Watching,
    seed: int,
    on_steps: OnSteps,
) -> list[Episode]:
    """All of them, in the order of the plan; `on_steps` hears of the steps as they are made, and of what has ended."""
    waiting = deque(enumerate(plan))
    running: dict[int, tuple[int, _Lane]] = {}
    done: dict[int, Episode] = {}

    def begin(lane: int) -> None:
        if not waiting:
            running.pop(lane, None)
            return
        place, planned = waiting.popleft()
        game_seed, policy_seed = planned.seeds(seed)
        game = _Lane(planned, side.begin(lane, planned.start, game_seed), watching)
        _add([game], game.frame[None], [0.0])
        running[lane] = place, game
        policies[planned.policy].reset(np.array([lane]), np.array([policy_seed]))

    for lane in range(min(lanes, len(plan))):
        begin(lane)
    while running:
        numbers = np.array(sorted(running))
        games = [running[lane][1] for lane in numbers.tolist()]
        step = side.step(numbers.tolist(), _actions(games, policies, numbers))
        _add(games, step.frames, step.rewards.tolist())
        ended_after: list[int] = []
        for row, (lane, game) in enumerate(zip(numbers.tolist(), games, strict=True)):
            if step.terminated[row] or step.truncated[row] or game.steps == max_steps:
                ended = "terminated" if step.terminated[row] else "truncated" if step.truncated[row] else "cut"
                done[running[lane][0]] = game.episode(ended)
                ended_after.append(game.steps)
                begin(lane)
        on_steps(len(numbers), ended_after)
    return [done[place] for place in range(len(plan))]


def _add(games: Sequence[_Lane], frames: Frames, rewards: Sequence[float]) -> None:
    """The next frame of each; all that are read by the same sight are read at once."""
    for sight in {id(game.sight): game.sight for game in games}.values():
        rows = [row for row, game in enumerate(games) if game.sight is sight]
        looks = zip(*(column.tolist() for column in seen(frames[rows], sight)), strict=True)
        for row, look in zip(rows, looks, strict=True):
            games[row].add(frames[row], rewards[row], look)


def _actions(games: Sequence[_Lane], policies: Mapping[str, Policy], lanes: Lanes) -> Actions:
    """Each lane's by its own policy, which is asked once for all of its lanes."""
    whose = np.array([game.plan.policy for game in games])
    frames, actions = np.stack([game.frame for game in games]), np.zeros(len(lanes), np.int64)
    for name in dict.fromkeys(whose.tolist()):
        own = whose == name
        actions[own] = policies[name](frames[own], lanes[own])
    return actions
