"""Does a world know what FIRE does to the ball? Policies that never, and always, press it; and what their hits become.

A ball that reaches a paddle is also the moment that windows are drawn around: `world train --moments`.

python recipes/pong_fire.py policies --of zoo/ppo-b-1 zoo/ppo-b-2 zoo/dqn-3 zoo/dqn-4 --out runs/fire
neural-env record --game Pong --policies runs/fire/ppo-b-1-never runs/fire/ppo-b-1-always ... --out recordings/fire
python recipes/pong_fire.py hits --world Pong --data recordings/fire
python recipes/pong_fire.py moments --data recordings/fire --out runs/moments.json
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import tyro
from tqdm import tqdm

from agents.policy_file import load_weights, read_record, save_policy
from agents.zoo import resolve
from data_gen.atomic import write_atomically
from data_gen.die_with_parent import die_with_parent
from data_gen.games import game
from data_gen.policy import Frames
from data_gen.probes.pong import read_pong
from data_gen.recording import Entry, Recording
from evaluation.held_out import HeldOutGame, Stretch, held_out_games
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from world_model.simulator import Simulator

_HOW = {"never": (0, 0, 2, 3, 2, 3), "always": (1, 1, 4, 5, 4, 5)}  # what stands for each of the six actions
_FIRE = (1, 4, 5)
_BEFORE, _AFTER = 2, 4  # frames of a hit, the one that touches the paddle between them
_NEAR = 66.0  # pixels from the left, where the learner's paddle is not far
_PLANE = 72.0  # pixels from the left, where the learner's paddle turns balls around
_LASTS = 3  # steps in which it is seen what becomes of the ball, or after a point of the score
_RIGHTMOST = 83.0  # pixel; seen in a mirror, the opponent's paddle is the learner's
_SLOW = 3.0  # pixels a step, below which a ball is slow: 2.1, 4.2, 6.3 and 8.4 are flown
_SPEEDS = (_SLOW, 5.2)  # slow, fast, and faster
_ALIKE = 0.8  # pixels a step
_READ_AT_ONCE = 256
_LANES = 64

_Moment = Literal["own", "other", "points"]


@dataclass(frozen=True)
class Policies:
    """Write each policy twice: as it never presses FIRE, and as it always does."""

    of: tuple[str, ...]  # zoo/<name>, or paths without suffix
    out: Path

    def __call__(self) -> None:
        """Two files of each."""
        for name in self.of:
            source = resolve(name, "Pong")
            record, weights = read_record(source), load_weights(source)
            for how, stands_for in _HOW.items():
                before = record.actions or tuple(range(len(stands_for)))
                renamed = tuple(stands_for[action] for action in before)
                save_policy(self.out / f"{source.name}-{how}", dataclasses.replace(record, actions=renamed), weights)


@dataclass(frozen=True)
class Hits:
    """How the ball leaves the learner's paddle, in games and as it is dreamt from two steps before."""

    data: Path
    world: str = "Pong"  # a folder, or the one that ships
    split: str = "train"  # of the recording, which no world has learned from
    most: int = 400  # hits

    def __call__(self) -> None:
        """A line for FIRE never pressed, one for always, one for all hits."""
        options = {"game": "Pong"} if self.world == "Pong" else {"world": self.world}
        dream = Dream(DreamOptions.of(options))
        games = held_out_games(Recording.open(self.data), self.split, game("Pong"), None, 0)
        hits = [hit for each in games for hit in _hits(each)]
        chosen = sorted(np.random.default_rng(0).permutation(len(hits))[: self.most].tolist())
        told = list(_dreamt(dream, [hits[place] for place in chosen]))
        for name, fires in (("never", 0.0), ("always", 1.0)):
            of = [(hit, flight) for hit, flight in told if hit.fires == fires]
            if not of:
                print(f"FIRE {name}: no hits")
                continue
            real = np.array([hit.flight.speed for hit, _ in of])
            dreamt = np.array([flight.speed for _, flight in of])
            seen = ~np.isnan(dreamt)
            print(
                f"FIRE {name}: {len(of)} hits; slow in the game {(real < _SLOW).mean():.0%}, in the dream "
                f"{(dreamt[seen] < _SLOW).mean():.0%} of {seen.sum()} that can be read"
            )
        pairs = [(hit.flight, flight) for hit, flight in told if not np.isnan(flight).any()]
        if not pairs:
            return
        fast = np.mean([np.digitize(a.speed, _SPEEDS) == np.digitize(b.speed, _SPEEDS) for a, b in pairs])
        steep = np.mean([abs(a.steep - b.steep) <= _ALIKE for a, b in pairs])
        print(
            f"all: {len(pairs)} hits that can be read; as fast as in the game {fast:.1%}, as steep {steep:.1%} "
            f"(within {_ALIKE} pixels a step)"
        )


@dataclass(frozen=True)
class Moments:
    """Write down when the ball reaches a paddle, or a point is made, in every episode to learn from.

    Met or missed: where only hits are named, a world learns to meet what should have been missed.
    """

    data: Path
    out: Path
    what: tuple[_Moment, ...] = ("own", "other")  # the ball reaches that paddle; a point is paid
    workers: int = 2

    def __call__(self) -> None:
        """One JSON file."""
        entries = Recording.open(self.data).entries("train")
        moments_of = partial(_moments_of, self.data, self.what)
        with get_context("spawn").Pool(self.workers, die_with_parent) as pool:
            found = list(tqdm(pool.imap(moments_of, entries), total=len(entries), unit="episode"))
        moments = {entry.sha256: steps for entry, steps in zip(entries, found, strict=True)}
        write_atomically(self.out, (json.dumps(moments) + "\n").encode())
        print(f"{self.out}: {sum(map(len, found)):,} steps in {len(entries)} episodes")


def _moments_of(data: Path, what: Sequence[_Moment], entry: Entry) -> list[int]:
    episode = Recording.open(data).load(entry)
    x, _ = _ball(episode.frames)
    begins = {"own": _arrives(x), "other": _arrives(_RIGHTMOST - x), "points": episode.rewards != 0}
    first = np.concatenate([np.flatnonzero(begins[each]) for each in what])
    steps = np.unique(first[:, None] + np.arange(_LASTS))
    return [int(step) for step in steps[steps < entry.steps]]


def _arrives(x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether the ball, flying on as it does, would be at the right paddle one frame later."""
    flown = np.diff(x, prepend=np.nan)
    return np.asarray((flown > 0) & (x < _PLANE) & (x + flown >= _PLANE))


class _Flight(NamedTuple):
    speed: float  # pixels a step, away from the paddle; NaN where no ball is to be seen
    steep: float  # pixels a step, downwards; likewise

    @classmethod
    def of(cls, x: Sequence[float], y: Sequence[float]) -> _Flight:
        """Of the ball's places from the hit on."""
        return cls(float(x[0] - x[-1]) / (len(x) - 1), float(y[-1] - y[-2]))


class _Hit(NamedTuple):
    stretch: Stretch
    flight: _Flight
    fires: float  # share of the ticks from two steps before until the hit


def _hits(played: HeldOutGame) -> Iterator[_Hit]:
    x, y = _ball(played.frames[: played.last_shown + 1])
    for hit in _turns(x):
        pressed = played.executed[hit - _BEFORE : hit + 1]
        stretch = Stretch(played, hit - _BEFORE, _BEFORE + _AFTER)
        after = slice(hit + 1, hit + _AFTER + 1)
        yield _Hit(stretch, _Flight.of(x[after], y[after]), float(np.isin(pressed, _FIRE).mean()))


def _ball(frames: Frames) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    parts = [np.asarray(frames[first : first + _READ_AT_ONCE]) for first in range(0, len(frames), _READ_AT_ONCE)]
    readings = [read_pong(part) for part in parts]
    return np.concatenate([each.ball_x for each in readings]), np.concatenate([each.ball_y for each in readings])


def _turns(x: npt.NDArray[np.float64]) -> list[int]:
    """Frames at which the ball turns around before the right paddle, and flies on freely."""
    around = np.lib.stride_tricks.sliding_window_view(x, _BEFORE + _AFTER + 1)
    turns = (around[:, _BEFORE] >= _NEAR) & (around[:, _BEFORE - 1] < around[:, _BEFORE])
    flies_on = (np.diff(around[:, _BEFORE:]) < -0.5).all(axis=1)
    return [int(first) + _BEFORE for first in np.flatnonzero(turns & flies_on & ~np.isnan(around).any(axis=1))]


def _dreamt(dream: Dream, hits: list[_Hit]) -> Iterator[tuple[_Hit, _Flight]]:
    """Each hit with the flight that is dreamt."""
    simulator = Simulator(dream.shared.world, dream.options.sampling(dream.shared.sampling))
    for first in range(0, len(hits), _LANES):
        batch = hits[first : first + _LANES]
        contexts = [hit.stretch.context(dream.shared.world.config.dynamics.reach) for hit in batch]
        state, _ = simulator.start(contexts, range(first, first + len(batch)))
        x, y = [], []
        for step in range(_BEFORE + _AFTER):
            state, dreamt = simulator.step(state, np.stack([hit.stretch.executed[step] for hit in batch]))
            reading = read_pong(dreamt.frames)
            x.append(reading.ball_x)
            y.append(reading.ball_y)
        for lane, hit in enumerate(batch):
            yield hit, _Flight.of(*(np.array(each)[_BEFORE:, lane] for each in (x, y)))


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"policies": Policies, "hits": Hits, "moments": Moments})()
