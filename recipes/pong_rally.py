"""How Pong is played in a game and in dreams: points, how many shots are fast, and what becomes of them.

python recipes/pong_rally.py --policy zoo/ppo-b-1 --where game Pong runs/pong/world
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import tyro

from agents.games import GameLanes, open_games
from agents.policy_file import load_policy
from agents.zoo import resolve
from data_gen.policy import Policy
from data_gen.probes.pong import read_pong

_GAME = "game"
_NEAR = 30.0  # pixels from a side, within which a ball that turns around has met the paddle there
_WIDTH = 84.0
_TURN = 0.8  # pixels a step, above which a ball flies and is not about to
_FAST = 3.0  # pixels a step: 2.1, 4.2, 6.3 and 8.4 are flown
_BEFORE, _AFTER = 2, 4  # frames of a turn


@dataclass(frozen=True)
class Rally:
    """Let a policy play, and tell what its opponent's shots and its own are like.

    Games begin anew, dreams anywhere and in bfloat16: as agents learn there.
    """

    policy: str  # zoo/<name>, or a path without suffix
    where: tuple[str, ...] = (_GAME, "Pong")  # the game, the world that ships, folders of worlds
    lanes: int = 64
    steps: int = 500
    temperature: float | None = None  # of the dreams; as the world says

    def __call__(self) -> None:
        """Some lines for each place."""
        torch.set_num_threads(1)  # as in an agent's training, and several may run side by side
        path = resolve(self.policy, "Pong") if self.policy.startswith("zoo/") else Path(self.policy)
        for place in self.where:
            played = _play(self._games(place), load_policy(path), self.lanes, self.steps)
            print("\n".join([place, *(f"  {line}" for line in _told(played))]), flush=True)

    def _games(self, place: str) -> GameLanes:
        if place == _GAME:
            return open_games("Real/Pong-v0", self.lanes)
        options: dict[str, Any] = {"start": "anywhere", "dtype": "bfloat16", "temperature": self.temperature}
        return open_games("Dream/Pong-v0", self.lanes, **options, **({} if place == "Pong" else {"world": place}))


class _Played(NamedTuple):
    ball_x: npt.NDArray[np.float64]  # [T, B]
    rewards: npt.NDArray[np.float64]  # [T, B], of the step after that frame


class _Shot(NamedTuple):
    own: bool
    fast: bool
    became: str  # returned, won, lost or nothing: the ball was gone, or the same side's again


def _play(games: GameLanes, policy: Policy, lanes: int, steps: int) -> _Played:
    every = np.arange(lanes)
    frames = np.stack([games.begin(lane, lane) for lane in every.tolist()])
    policy.reset(every, every)
    begun, ball_x, rewards = lanes, [], []
    for _ in range(steps):
        ball_x.append(read_pong(frames).ball_x)
        step = games.step(every.tolist(), policy(frames, every))
        frames = step.frames.copy()
        rewards.append(step.rewards)
        for lane in np.flatnonzero(step.terminated | step.truncated).tolist():
            frames[lane] = games.begin(lane, begun)
            policy.reset(np.array([lane]), np.array([begun]))
            begun += 1
    games.close()
    return _Played(np.stack(ball_x), np.stack(rewards))


def _told(played: _Played) -> Iterator[str]:
    per_thousand = [(played.rewards == reward).mean(axis=0) * 1000 for reward in (1, -1)]
    won, lost = (f"{each.mean():.2f} ({each.std() / np.sqrt(len(each)):.2f})" for each in per_thousand)
    yield f"points in 1,000 steps (standard error): won {won}, lost {lost}"
    shots = [shot for lane in range(played.ball_x.shape[1]) for shot in _shots(*(each[:, lane] for each in played))]
    for own, whose in ((False, "the opponent's"), (True, "its own")):
        of = [shot for shot in shots if shot.own == own]
        fast = float(np.mean([shot.fast for shot in of])) if of else float("nan")
        yield f"{whose} shots: {len(of)}, fast {fast:.0%}"
        for is_fast, name in ((False, "slow"), (True, "fast")):
            became = Counter(shot.became for shot in of if shot.fast == is_fast)
            shares = ", ".join(f"{what} {count / became.total():.0%}" for what, count in sorted(became.items()))
            yield f"  {name}: {shares or 'none'}"


def _shots(x: npt.NDArray[np.float64], rewards: npt.NDArray[np.float64]) -> Iterator[_Shot]:
    """The shots of one lane, each with what came next."""
    turns = [(at, "own", speed) for at, speed in _turns(_WIDTH - x)] + [(at, "other", speed) for at, speed in _turns(x)]
    points = [(int(at), "won" if rewards[at] > 0 else "lost", 0.0) for at in np.flatnonzero(rewards)]
    events = sorted(turns + points)
    for (_, who, speed), (_, after, _) in pairwise(events):
        if who in ("own", "other"):
            returned = after in ("own", "other") and after != who
            became = "returned" if returned else after if after in ("won", "lost") else "nothing"
            yield _Shot(who == "own", speed > _FAST, became)


def _turns(x: npt.NDArray[np.float64]) -> Iterator[tuple[int, float]]:
    """Frames at which a ball turns around at the left side, and how fast it flies away."""
    for at in range(_BEFORE, len(x) - _AFTER):
        around = x[at - _BEFORE : at + _AFTER + 1]
        if np.isnan(around).any() or x[at] > _NEAR or x[at] > around[: 2 * _BEFORE + 1].min():
            continue
        came, goes = (x[at] - x[at - _BEFORE]) / _BEFORE, (x[at + _AFTER] - x[at + 1]) / (_AFTER - 1)
        if came < -_TURN and goes > _TURN:
            yield at, float(goes)


if __name__ == "__main__":
    tyro.cli(Rally)()
