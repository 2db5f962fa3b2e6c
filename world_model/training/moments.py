"""Moments that a dream must get right, such as a ball at a paddle, around which windows are drawn more often.

What a world finds hard is to a good part what nobody can know: where a ball is served, say. Moments are named by
whoever knows the game, in a JSON file: {"<SHA-256 of an episode's file>": [steps]}, so that they stay good when
recordings are merged.

Name them by what comes before, never by what comes of them: a world that sees more hits than misses dreams more hits.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_gen.recording import Entry
from data_gen.windows import Windows
from world_model.plain_config import InvalidConfig, read_json


class InvalidMoments(ValueError):
    """A file that does not say moments of these episodes."""


def read_moments(file: Path, entries: Sequence[Entry]) -> npt.NDArray[np.int64]:
    """The rows of the split at which the moments lie, in their order; episodes that are not in it are left out."""
    try:
        content = read_json(file.read_bytes())
    except InvalidConfig as fault:
        raise InvalidMoments(f"{file}: {fault}; find the moments anew") from fault
    if not isinstance(content, dict):
        raise InvalidMoments(f'{file} holds {type(content).__name__}; expected {{"SHA-256 of an episode": [steps]}}')
    rows: list[int] = []
    first_rows = itertools.accumulate((entry.steps + 1 for entry in entries), initial=0)
    for entry, first in zip(entries, first_rows, strict=False):
        steps = content.get(entry.sha256, [])
        if not isinstance(steps, list):
            raise InvalidMoments(f"{file}: {steps!r} for {entry.file}; expected a list of steps")
        for step in steps:
            if not isinstance(step, int) or not 0 <= step < entry.steps:
                raise InvalidMoments(f"{file}: step {step!r} of {entry.file}; expected 0 to {entry.steps - 1}")
            rows.append(first + step)
    if not rows:
        raise InvalidMoments(f"{file} names no moment of these {len(entries)} episodes; find those of this recording")
    return np.array(sorted(rows), np.int64)


def around_moments(windows: Windows, rows: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.float64]:
    """Weights [W] of the windows that hold one of these rows, `share` in all: as often each, wherever it lies.

    A third of a window comes before its moment, for it follows from that.
    """
    held = np.zeros(len(windows.frames) + 1, np.int64)
    held[rows + 1] = 1
    before = np.cumsum(held)
    last = windows.first_rows + windows.steps
    first = np.minimum(windows.first_rows + windows.length // 3, last)
    holds_W = (before[last] > before[first]).astype(np.float64)
    if not holds_W.any():
        raise InvalidMoments(f"no window of {windows.length} steps holds a moment in its last two thirds")
    return np.asarray(share * holds_W / holds_W.sum(), np.float64)
