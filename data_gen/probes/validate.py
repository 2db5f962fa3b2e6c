"""How good the probes are: real frames, read by a probe and by the emulator's memory, compared.

    python -m data_gen.probes.validate --game Pong --frames 20000

Plays the twin with its own stickiness by behaviours that cheat (they look into the memory) so that rallies, points of
both sides and many scores occur. In Breakout a part of the wall is taken away before every second game, by writing to
the memory, so that the ball is also seen in holes and above the wall. Prints, for everything a probe reads, in how many
frames it agrees with the memory about presence, and how far off positions are.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import tyro

from data_gen.atari import AtariEmulator
from data_gen.policy import Frames
from data_gen.probes import pong, probe
from data_gen.probes.ram import Ram, breakout_ball, breakout_from_ram, erase_bricks, pong_from_ram
from data_gen.spec import GameSpec
from data_gen.twin import Twin

_POOLED_TICKS = 2
_CHUNK = 500  # frames; native pictures are 100 kB each
_BEHAVIOUR_STEPS = 40  # how long one way of playing lasts, on average
_LAST_TICK = ", last tick only"  # positions against the newer of the two pooled ticks alone
_HELD_STEPS = 7  # how long a random action is held, on average


@dataclass(frozen=True)
class Played:
    """Frames as the twin shows them, and what the emulator knew on the ticks they were made of."""

    frames: Frames  # [B, 84, 84, 3]
    ram: Ram  # [B, 2, 128]
    native: Frames  # [B, 210, 160, 3], the maximum of the ticks


class WatchedAtari(AtariEmulator):
    """An ALE game that remembers memory and picture of its last two ticks."""

    def __init__(self, spec: GameSpec) -> None:
        super().__init__(spec)
        self.rams: deque[Ram] = deque(maxlen=_POOLED_TICKS)
        self.screens: deque[Frames] = deque(maxlen=_POOLED_TICKS)

    def tick(self, action: int) -> tuple[float, bool]:
        result = super().tick(action)
        self.rams.append(self.ale.getRAM().copy())
        self.screens.append(self.screen().copy())
        return result


class WatchedTwin(Twin):
    """A twin whose emulator is watched."""

    def __init__(self, game_name: str) -> None:
        super().__init__(game_name)
        self._open_emulator().close()
        self.watched = WatchedAtari(self.game)
        self._emulator = self.watched


# ---- behaviours ----------------------------------------------------------------------------------------------------


def _pong_action(ram_N: Ram, aim: int) -> int:
    """Follow the ball, `aim` native pixels off its middle; without a ball, serve or wait."""
    ball, paddle = int(ram_N[54]), int(ram_N[51])
    if ball == 0:
        return aim % 2
    return 3 if paddle < ball + aim - 3 else 2 if paddle > ball + aim + 3 else 0


def _breakout_action(ram_N: Ram, aim: int) -> int:
    """Follow the ball likewise; firing serves it and does nothing else."""
    ball, paddle = int(ram_N[99]), int(ram_N[72])
    middle = ball + aim - 9
    return 2 if paddle < middle - 3 else 3 if paddle > middle + 3 else 1


class _Player:
    """Follows the ball with a changing aim, or holds random actions for random times."""

    def __init__(self, follow: Callable[[Ram, int], int], num_actions: int, rng: np.random.Generator) -> None:
        self._follow, self._num_actions, self._rng = follow, num_actions, rng
        self._aim, self._held, self._holds = 0, 0, False

    def act(self, ram_N: Ram) -> int:
        if self._rng.random() < 1 / _BEHAVIOUR_STEPS:
            self._aim = int(self._rng.integers(-9, 10))  # small aims rally at all angles, large ones miss
            self._holds = bool(self._rng.random() < 0.3)
        if self._rng.random() < 1 / _HELD_STEPS:
            self._held = int(self._rng.integers(self._num_actions))
        return self._held if self._holds else self._follow(ram_N, self._aim)


def play(game_name: str, num_frames: int, seed: int) -> Iterator[Played]:
    """Real frames in chunks; the first game is reset with `seed`, the next with one more.

    Example:
        >>> next(play("Pong", 3, seed=0)).frames.shape
        (3, 84, 84, 3)
    """
    twin, rng = WatchedTwin(game_name), np.random.default_rng(seed)
    frames = islice(_frames(twin, _Player(_FOLLOW[game_name], twin.game.num_actions, rng), rng, seed), num_frames)
    while chunk := list(islice(frames, _CHUNK)):
        yield Played(*(np.stack(parts) for parts in zip(*chunk, strict=True)))
    twin.close()


def _frames(
    twin: WatchedTwin, player: _Player, rng: np.random.Generator, first_seed: int
) -> Iterator[tuple[Frames, Ram, Frames]]:
    """Frame, memory and native picture of one step after the other, for ever."""
    for seed in count(first_seed):
        twin.reset(seed=seed)
        ale, over = twin.watched.ale, False
        if twin.game.name == "Breakout" and seed % 2:
            erase_bricks(ale.setRAM, ale.getRAM(), rng)
        while not over:
            frame, _, terminated, truncated, _ = twin.step(player.act(ale.getRAM()))
            yield frame, np.stack(twin.watched.rams), np.max(twin.watched.screens, axis=0)
            over = terminated or truncated


_FOLLOW = {"Pong": _pong_action, "Breakout": _breakout_action}
_TRUTHS: dict[str, Callable[[Ram], Any]] = {"Pong": pong_from_ram, "Breakout": breakout_from_ram}


# ---- comparison ----------------------------------------------------------------------------------------------------


def errors(reading: Any, truth: Any) -> dict[str, npt.NDArray[np.float64]]:
    """What is wrong, by name of the quantity: 0 or 1 per frame for presence and numbers, pixels for positions.

    Positions are compared in the frames where both see the thing.
    """
    wrong = {}
    for field in dataclasses.fields(reading):
        read, true = getattr(reading, field.name), getattr(truth, field.name)
        if read.dtype.kind == "f":
            both = ~np.isnan(read) & ~np.isnan(true)
            wrong[field.name] = np.abs(read - true)[both]
        else:
            different = read != true
            wrong[field.name] = different.reshape(len(different), -1).any(axis=1).astype(np.float64)
    if "ball_y" in wrong:
        wrong["ball (x, y)"] = np.hypot(wrong.pop("ball_x"), wrong.pop("ball_y"))
    return wrong


def measured(game_name: str, num_frames: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """The errors of the probe of a game over freshly played frames.

    Example:
        >>> float(measured("Pong", 50, seed=0)["ball_present"].mean())
        0.0
    """
    chunks = [_chunk_errors(game_name, played) for played in play(game_name, num_frames, seed)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _chunk_errors(game_name: str, played: Played) -> dict[str, npt.NDArray[np.float64]]:
    reading, truth_of = probe(game_name)(played.frames), _TRUTHS[game_name]
    truth = truth_of(played.ram)
    wrong = errors(reading, truth)
    last = errors(reading, truth_of(played.ram[:, -1:]))
    wrong |= {name + _LAST_TICK: last[name] for name in last if _is_position(name)}
    wrong["ball by memory, by native screen"] = (truth.ball_present != _DRAWN[game_name](played)).astype(np.float64)
    return wrong


def _pong_ball_drawn(played: Played) -> npt.NDArray[np.bool_]:
    """Whether there is white between the bars: nothing else is white."""
    return np.asarray((played.native[:, slice(*pong.FIELD_ROWS)] == 236).all(axis=3).any(axis=(1, 2)))


def _breakout_ball_drawn(played: Played) -> npt.NDArray[np.bool_]:
    """Whether anything is drawn where the memory has the ball: here other things have its colours too."""
    return np.asarray((played.native.any(axis=3) & breakout_ball(played.ram)).any(axis=(1, 2)))


_DRAWN = {"Pong": _pong_ball_drawn, "Breakout": _breakout_ball_drawn}


def _is_position(name: str) -> bool:
    return name.endswith(("_x", "_y", "(x, y)"))


def report(wrong: dict[str, npt.NDArray[np.float64]]) -> str:
    """The table that is printed."""
    lines = []
    for name, error in wrong.items():
        if _is_position(name.removesuffix(_LAST_TICK)):
            lines.append(
                f"{name:50} {len(error):7} frames  mean {error.mean():.3f}  p99 {np.quantile(error, 0.99):.2f}  "
                f"max {error.max():.2f} pixels, within 1: {100 * (error <= 1).mean():.2f} %"
            )
        else:
            lines.append(f"{name:50} {len(error):7} frames  right in {100 * (error == 0).mean():.3f} %")
    return "\n".join(lines)


def main(game: str = "Pong", frames: int = 20_000, seed: int = 0) -> None:
    """Measure the probe of a game against the emulator's memory.

    Args:
        game: the game's name.
        frames: how many frames to play.
        seed: of the behaviours; the n-th game is reset with this plus n.
    """
    print(report(measured(game, frames, seed)))


if __name__ == "__main__":
    tyro.cli(main)
