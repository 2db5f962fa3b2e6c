"""Short runs of steps for training: seeded, resumable, never across the end of an episode.

    windows = Windows.open("recordings/pong", split="train", length=16, seed=0)
    for position, batch in windows.stream(batch=32, position=0, workers=2):
        batch.frames        # uint8 [32, 17, H, W, 3]; action t joins frames t and t + 1

The k-th window is a function of seed and k: a stream goes on at any position, and rank r of w takes every w-th batch.
Frames are decoded once, into a memory-mapped cache beside the recording. Imports neither Gymnasium nor an emulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.recording import Recording
from data_gen.split_cache import NoWindows, SplitCache, WindowBatch

_BLOCK = 4096  # draws that are made at once


class Windows:
    """All windows of one split of a recording."""

    def __init__(self, recording: Recording, split: str, length: int, seed: int, progress: bool = False) -> None:
        if length < 1:
            raise ValueError(f"length is {length}; a window has at least one step")
        self.length = length
        self.seed = seed
        self._cache = SplitCache.of(recording, split, progress)
        self._starts = self._cache.window_starts(length)
        self._odds: npt.NDArray[np.float64] | None = None  # cumulative, of each window
        if len(self._starts) == 0:
            raise NoWindows(f"{recording.root} has no {split} episode with {length} steps in a row")

    @classmethod
    def open(cls, root: Path | str, split: str, length: int, seed: int = 0, progress: bool = False) -> Windows:
        """The windows of the recording in `root`."""
        return cls(Recording.open(root), split, length, seed, progress)

    def __len__(self) -> int:
        """How many different windows there are."""
        return len(self._starts)

    @property
    def frames(self) -> Frames:
        """Every frame of the split, episode after episode, mapped from disk."""
        return self._cache.frames

    @property
    def key(self) -> str:
        """Names the split's content: what was derived from the same episodes bears the same key."""
        return self._cache.key

    @property
    def begins(self) -> npt.NDArray[np.bool_]:
        """Whether each row of `frames` is the first of an episode."""
        return self._cache.begins()

    def outcomes(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Reward and end of every step of the split."""
        return self._cache.outcomes()

    @property
    def ends_shown(self) -> bool:
        """Whether the game has shown the frame with which it ended, wherever it did."""
        return self._cache.ends_shown()

    @property
    def first_rows(self) -> npt.NDArray[np.int64]:
        """The row of `frames` at which each window begins."""
        return self._cache.rows(self._starts)

    @property
    def steps(self) -> npt.NDArray[np.int64]:
        """How many of each window's steps were played: `length`, and fewer where it reaches past the end of a game."""
        return self._cache.played(self._starts, self.length)

    def past_ends(self) -> Windows:
        """With them those that begin in the last steps of a game and reach past its end.

        There nobody knows the actions and rewards, nothing is shown, and the last frame stands still. Without them, a
        game ends in the last step of a window alone: whoever has seen fewer frames would learn that it never ends, and
        whoever has seen as many, that it does so `length` times as often as in truth.
        """
        other = copy(self)
        other._starts = self._cache.window_starts(self.length, past_ends=True)
        return other

    def take(self, numbers: npt.NDArray[np.int64]) -> WindowBatch:
        """The windows with these numbers, counted through the split; not those of the shuffled stream."""
        return self._cache.gather(self._starts[numbers], self.length)

    def weighted(self, weights: npt.NDArray[np.floating[Any]]) -> Windows:
        """The same windows in another stream: each is drawn as often as its weight says, with replacement."""
        if weights.shape != (len(self),) or not (np.isfinite(weights).all() and weights.min() >= 0 < weights.sum()):
            raise ValueError(
                f"weights has shape {weights.shape}; expected {len(self)} finite numbers, not all of them 0"
            )
        other = copy(self)
        other._odds = np.cumsum(weights, dtype=np.float64)
        return other

    def evening(self) -> npt.NDArray[np.float64]:
        """Weights [W] by which every step is drawn about as often as any other.

        A step in the middle of a run lies in as many windows as they have steps, the first in a single window, and so
        does the last, if none reach past it. So the windows at both ends stand for all that would reach beyond.
        """
        follows = np.diff(self.first_rows) == 1  # the next window begins one step later
        is_first, is_last = ~np.append(False, follows), ~np.append(follows, False) & (self.steps == self.length)
        return np.asarray(1 + (is_first + is_last.astype(np.int64)) * (self.length - 1), np.float64)

    def instead(self, rows: npt.NDArray[Any]) -> Windows:
        """The same windows over something else that has one row for each of `frames`: latents, say."""
        if len(rows) != len(self.frames):
            raise ValueError(f"{len(rows)} rows stand for {len(self.frames)} frames; expected one for each")
        other = copy(self)
        other._cache = self._cache.over(rows)
        return other

    def batch(self, position: int, size: int) -> WindowBatch:
        """Windows number position .. position + size - 1 of the endless shuffled stream."""
        return self._cache.gather(self._starts[self._order(position, size)], self.length)

    def stream(
        self, batch: int, position: int = 0, workers: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[int, WindowBatch]]:
        """Batches without end, each with the position from which a resumed stream goes on after it."""
        firsts = (position + (rank + world * turn) * batch for turn in count())
        with ThreadPoolExecutor(workers) as pool:
            waiting: list[tuple[int, Future[WindowBatch]]] = []
            for first in firsts:
                waiting.append((first, pool.submit(self.batch, first, batch)))
                if len(waiting) > workers:
                    at, ready = waiting.pop(0)
                    yield at + (world - rank) * batch, ready.result()

    def _order(self, position: int, size: int) -> npt.NDArray[np.int64]:
        """Which windows stand at these positions: every pass over the data is a permutation of its own."""
        positions = np.arange(position, position + size)
        if self._odds is not None:
            drawn = np.array([_uniform(self.seed, int(each)) for each in positions]) * self._odds[-1]
            return np.asarray(np.searchsorted(self._odds, drawn, side="right").clip(max=len(self) - 1), np.int64)
        passes, places = np.divmod(positions, len(self))
        order = np.empty(size, np.int64)
        for each in np.unique(passes):
            chosen = passes == each
            order[chosen] = _permutation(self.seed, int(each), len(self))[places[chosen]]
        return order


def _uniform(seed: int, position: int) -> float:
    block, place = divmod(position, _BLOCK)
    return float(_uniforms(seed, block)[place])


@lru_cache(maxsize=4)
def _uniforms(seed: int, block: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng([seed, block, _BLOCK]).random(_BLOCK)


@lru_cache(maxsize=4)
def _permutation(seed: int, which: int, size: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, which]).permutation(size)
