"""Starts without a recording: new games of the twin, and moments within them."""

from __future__ import annotations

import numpy as np

from data_gen.behaviours import RandomHold
from data_gen.spec import GameSpec
from data_gen.twin import Twin
from neural_env.play.playground import InvalidPlay, why_not_known
from world_model.starts import Start, Starts

_LANE = np.zeros(1, np.int64)


def fresh_starts(game: GameSpec, beginnings: int = 4, middles: int = 4, context: int = 24) -> Starts:
    """Beginnings of games, and moments after some steps of `random-hold`, each from a seed of its own."""
    if reason := why_not_known(game):
        raise InvalidPlay(f"no starts can be made: {reason}")
    twin = Twin(game)
    try:
        seeds = range(beginnings + middles)
        return Starts(_start(twin, seed, context if seed >= beginnings else 0, context) for seed in seeds)
    finally:
        twin.close()


def _start(twin: Twin, seed: int, steps: int, context: int) -> Start:
    """The moment after so many steps, or before the game's end if that comes first."""
    policy = RandomHold(twin.game.num_actions)
    policy.reset(_LANE, np.array([seed]))
    frame, _ = twin.reset(seed=seed)
    frames, ticks = [frame], np.zeros((0, twin.game.ticks_per_step), np.int64)
    for _ in range(steps):
        frame, _, terminated, truncated, info = twin.step(int(policy(frame[None], _LANE)[0]))
        if terminated or truncated:
            break
        frames, ticks = [*frames, frame], np.concatenate([ticks, info["executed"][None]])
    return Start(np.stack(frames[-context:]), seed, ticks)
