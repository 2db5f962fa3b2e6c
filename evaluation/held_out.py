"""Games that a world has not learned from, and stretches of them: what was seen, and what was played and came then.

Frames stay on disk: they are mapped from the cache that training decodes them into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.recording import Entry, Recording
from data_gen.spec import GameSpec
from data_gen.windows import Windows
from world_model.simulator import Context


class UnfitRecording(ValueError):
    """A recording with which this world cannot be measured; the message says why."""


@dataclass(frozen=True, eq=False)
class HeldOutGame:
    """One episode: N steps and N + 1 frames."""

    index: int  # within the split; the cluster of all that is measured on it
    frames: Frames  # [N + 1, H, W, 3]
    executed: npt.NDArray[np.int64]  # [N, ticks per step]
    rewards: npt.NDArray[np.float64]  # [N]
    terminated: npt.NDArray[np.bool_]  # [N]
    last_shown: int  # the last frame that the game has shown
    reset_seed: int  # of the twin

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.executed)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some steps of a game, from one of its frames on."""

    game: HeldOutGame
    moment: int  # the frame that it goes on from
    steps: int

    def context(self, reach: int) -> Context:
        """What was seen until then, as far back as a world remembers or the game goes."""
        begin = max(0, self.moment + 1 - reach)
        return Context(self.game.frames[begin : self.moment + 1], self.game.executed[begin : self.moment])

    @property
    def executed(self) -> npt.NDArray[np.int64]:
        """What was played then, [steps, ticks per step]."""
        return self.game.executed[self.moment : self.moment + self.steps]

    @property
    def rewards(self) -> npt.NDArray[np.float64]:
        """What it gave, [steps]."""
        return self.game.rewards[self.moment : self.moment + self.steps]

    @property
    def terminated(self) -> npt.NDArray[np.bool_]:
        """Whether it ended the game, [steps]."""
        return self.game.terminated[self.moment : self.moment + self.steps]


def held_out_games(recording: Recording, split: str, game: GameSpec, count: int | None, seed: int) -> list[HeldOutGame]:
    """`count` games of a split, or all of them; they are of the game that the world has learned."""
    _require_same(recording, game)
    windows = Windows(recording, split, 1, seed=0, progress=True)
    entries = recording.entries(split)
    firsts = np.cumsum([0, *(entry.steps + 1 for entry in entries)])
    order = np.random.default_rng([seed, 0]).permutation(len(entries))[:count]
    return [
        _game(recording, entries[which], which, windows.frames[firsts[which] :]) for which in sorted(order.tolist())
    ]


def _game(recording: Recording, entry: Entry, index: int, frames: Frames) -> HeldOutGame:
    episode = recording.load(entry)
    if episode.executed is None or episode.rewards is None or "reset_seed" not in episode.provenance:
        raise UnfitRecording(f"{entry.file} of {recording.root} was not played here: its ticks and seed are unknown")
    return HeldOutGame(
        index,
        frames[: len(episode) + 1],
        episode.executed.astype(np.int64),
        episode.rewards.astype(np.float64),
        episode.terminated,
        int(np.flatnonzero(episode.real)[-1]),
        int(episode.provenance["reset_seed"]),
    )


def _require_same(recording: Recording, game: GameSpec) -> None:
    recorded = recording.manifest.game
    if recorded is None:
        raise UnfitRecording(f"{recording.root} is an imported video: nobody knows what was played in it")
    for field in ("name", "action_meanings", "frame_size", "ticks_per_step"):
        ours, theirs = getattr(game, field), getattr(recorded, field)
        if ours != theirs:
            raise UnfitRecording(f"{recording.root} has {field} {theirs!r}; the world has {ours!r}")


# ---- stretches -----------------------------------------------------------------------------------------------------


def random_stretches(games: Sequence[HeldOutGame], steps: int, count: int, seed: int) -> list[Stretch]:
    """Different stretches of `steps` steps whose frames were all shown, by games and moments; fewer if there are."""
    moments = [max(0, game.last_shown - steps + 1) for game in games]
    firsts = np.cumsum([0, *moments])
    total = int(firsts[-1])
    if total == 0:
        raise UnfitRecording(f"no held-out game goes on for {steps} steps; record longer ones, or ask for fewer steps")
    drawn = np.sort(np.random.default_rng([seed, 1]).choice(total, min(count, total), replace=False))
    which = np.searchsorted(firsts, drawn, side="right") - 1
    return [Stretch(games[game], int(place - firsts[game]), steps) for game, place in zip(which, drawn, strict=True)]


def consecutive_stretches(games: Sequence[HeldOutGame], steps: int) -> list[Stretch]:
    """All steps of all games, each once; a game's last stretch is what is left."""
    return [
        Stretch(game, moment, min(steps, len(game) - moment)) for game in games for moment in range(0, len(game), steps)
    ]


def some(stretches: Sequence[Stretch], count: int | None, seed: int) -> list[Stretch]:
    """`count` of these, drawn at random, or all."""
    order = np.random.default_rng([seed, 2]).permutation(len(stretches))[:count]
    return [stretches[place] for place in sorted(order.tolist())]


def in_batches(stretches: Sequence[Stretch], size: int) -> Iterator[list[Stretch]]:
    """At most `size` at a time, the longest ones first: those of a batch end at about the same time."""
    longest_first = sorted(stretches, key=lambda each: -each.steps)
    for first in range(0, len(longest_first), size):
        yield longest_first[first : first + size]
