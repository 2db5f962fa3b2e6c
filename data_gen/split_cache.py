"""A split of a recording, decoded once: what windows are cut from.

The frames lie in a memory-mapped file beside the recording, the small columns in memory.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_gen.episode import Episode
from data_gen.policy import Frames
from data_gen.recording import Entry, Recording, summed_steps


class NoWindows(ValueError):
    """A split without a single window of the wanted length."""


@dataclass(frozen=True)
class WindowBatch:
    """B windows of L steps."""

    frames: Frames  # [B, L + 1, H, W, 3]
    actions: npt.NDArray[np.int64]  # [B, L]; -1 where nobody knows (an imported video)
    executed: npt.NDArray[np.int64]  # [B, L, ticks per step]; likewise
    rewards: npt.NDArray[np.float32]  # [B, L]; NaN likewise
    terminated: npt.NDArray[np.bool_]  # [B, L]
    # [B, L]: the game has shown the frame after each step; in Doom not after the last one, and nowhere past the end
    shown: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]  # [B], the row of `Windows.frames` at which each begins
    episodes: npt.NDArray[np.int64]  # [B], index into the split's entries
    starts: npt.NDArray[np.int64]  # [B], the step within its episode at which a window begins


class SplitCache:
    """A split decoded once: frames in a memory-mapped file, the small columns in memory."""

    def __init__(self, folder: Path, entries: list[Entry]) -> None:
        self.key = folder.name
        self.frames: Frames = np.load(folder / "frames.npy", mmap_mode="r")
        columns = np.load(folder / "columns.npz")
        self._actions, self._executed = columns["actions"], columns["executed"]
        self._rewards, self._terminated, self._real = columns["rewards"], columns["terminated"], columns["real"]
        self._lengths = np.array([entry.steps for entry in entries], np.int64)
        # Episode e's frames begin at row _first[e]: N steps have N + 1 frames, and columns are padded to fit.
        self._first = np.concatenate([[0], np.cumsum(self._lengths + 1)])

    @classmethod
    def of(cls, recording: Recording, split: str, progress: bool) -> SplitCache:
        entries = recording.entries(split)
        if not entries:
            raise NoWindows(f"{recording.root} has no {split} episodes")
        digest = hashlib.sha256(json.dumps([entry.sha256 for entry in entries]).encode()).hexdigest()[:16]
        folder = recording.root / "cache" / f"{split}-{digest}"
        if not folder.exists():
            _build(recording, entries, folder, progress)
        return cls(folder, entries)

    def outcomes(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        is_step = np.ones(len(self._rewards), np.bool_)
        is_step[self._first[1:] - 1] = False  # an episode's last frame leads nowhere: its row pads
        return self._rewards[is_step], self._terminated[is_step]

    def ends_shown(self) -> bool:
        return bool(self._real[np.flatnonzero(self._terminated) + 1].all())

    def begins(self) -> npt.NDArray[np.bool_]:
        begins_F = np.zeros(len(self._rewards), np.bool_)
        begins_F[self._first[:-1]] = True
        return begins_F

    def over(self, rows: npt.NDArray[Any]) -> SplitCache:
        """The same episodes with other rows in place of the frames."""
        other = copy(self)
        other.frames = rows
        return other

    def window_starts(self, length: int, past_ends: bool = False) -> npt.NDArray[np.int64]:
        """[W, 2]: episode and first step of every window whose frames all are real, but for the one after an end."""
        starts = []
        for episode, steps in enumerate(self._lengths.tolist()):
            real = self._real[self._first[episode] : self._first[episode] + steps + 1]
            unreal_before = np.concatenate([[0], np.cumsum(~real)])
            first = np.arange(steps if past_ends else max(0, steps - length + 1))
            first = first[unreal_before[np.minimum(first + length, steps)] == unreal_before[first]]
            starts.append(np.stack([np.full(len(first), episode), first], axis=1))
        return np.concatenate(starts).astype(np.int64)

    def rows(self, starts_W2: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The row at which each window begins."""
        return np.asarray(self._first[starts_W2[:, 0]] + starts_W2[:, 1])

    def played(self, starts_W2: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
        """How many steps of each window come before the end of its episode."""
        episodes, steps = starts_W2.T
        return np.asarray(np.minimum(self._lengths[episodes] - steps, length))

    def gather(self, starts_W2: npt.NDArray[np.int64], length: int) -> WindowBatch:
        """Copy these windows out of the cache."""
        episodes, steps = starts_W2.T
        past_WT = np.arange(length) >= self.played(starts_W2, length)[:, None]
        rows_WT = self.rows(starts_W2)[:, None] + np.arange(length + 1)
        rows_WT = np.minimum(rows_WT, self._first[episodes + 1][:, None] - 1)
        step_rows = rows_WT[:, :-1]
        return WindowBatch(
            frames=self.frames[rows_WT],
            actions=np.where(past_WT, -1, self._actions[step_rows]),
            executed=np.where(past_WT[..., None], -1, self._executed[step_rows]),
            rewards=np.where(past_WT, np.float32(np.nan), self._rewards[step_rows]),
            terminated=self._terminated[step_rows],
            shown=self._real[rows_WT[:, 1:]] & ~past_WT,
            rows=rows_WT[:, 0],
            episodes=episodes,
            starts=steps,
        )


def _build(recording: Recording, entries: list[Entry], folder: Path, progress: bool) -> None:
    """Decode into a folder of its own and rename it: a cache is whole or not there, whoever else builds it too."""
    folder.parent.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _decode(recording, entries, unfinished, progress)
        with suppress(OSError):  # another process was faster, with the same content
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _decode(recording: Recording, entries: list[Entry], folder: Path, progress: bool) -> None:
    rows = summed_steps(entries) + len(entries)
    shape = (rows, *recording.manifest.frame_size, 3)
    frames = np.lib.format.open_memmap(folder / "frames.npy", "w+", np.uint8, shape)
    columns: dict[str, list[npt.NDArray[Any]]] = {}
    row = 0
    for entry in tqdm(entries, desc="decoding", unit="episode", disable=not progress):
        episode = recording.load(entry)
        frames[row : row + len(episode) + 1] = episode.frames
        row += len(episode) + 1
        for name, column in _step_columns(episode).items():
            columns.setdefault(name, []).append(np.concatenate([column, np.zeros_like(column[:1])]))
        columns.setdefault("real", []).append(episode.real)
    frames.flush()
    whole: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    np.savez(folder / "columns.npz", **whole)


def _step_columns(episode: Episode) -> dict[str, npt.NDArray[Any]]:
    """What an episode has one of a step; nobody knows the actions (-1) and rewards (NaN) of a video."""
    unknown = np.full(len(episode), -1, np.int64)
    return {
        "actions": unknown if episode.actions is None else episode.actions,
        "executed": unknown[:, None] if episode.executed is None else episode.executed,
        "rewards": np.full(len(episode), np.nan, np.float32) if episode.rewards is None else episode.rewards,
        "terminated": episode.terminated,
    }
