"""The table of episodes: what was planned, what came of it, and the CSV in which it lies.

The same run gives the same bytes: rows are in the order of the plan, and numbers are written as Python reads them back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_type_hints

import numpy as np

from world_model.metrics.intervals import Floats

Side = Literal["real", "again", "dream", "shuffled"]  # "again": the real game once more, to be compared with itself
SIDES: tuple[Side, ...] = ("real", "again", "dream", "shuffled")
JUDGED: tuple[Side, ...] = ("real", "again", "dream")  # where the policies themselves act
HORIZONS = (16, 64, 256, 1024)  # steps at which returns are cut as well
_STREAMS = {"real": 0, "again": 1, "dream": 2, "shuffled": 3}


class DamagedTable(ValueError):
    """A table of episodes that cannot be read; the message names the line."""


@dataclass(frozen=True)
class Planned:
    """One episode before it is played; sides share its start, and nothing else."""

    side: Side
    policy: str
    place: int  # 0 to episodes - 1: the k-th episode of a policy begins alike on every side
    start: int  # which start of the world, or the seed of the reset

    def seeds(self, seed: int) -> tuple[int, int]:
        """Of the game's own randomness from the start on, and of the policy.

        Example:
            >>> Planned("real", "noop", 0, 0).seeds(0) == Planned("again", "noop", 0, 0).seeds(0)
            False
        """
        words = [seed, _STREAMS[self.side], self.place, *self.policy.encode()]
        game, policy = np.random.SeedSequence(words).generate_state(2)
        return int(game), int(policy)


@dataclass(frozen=True)
class Episode:
    """One episode as it was played."""

    side: str
    policy: str
    place: int
    start: int
    length: int
    ended: str  # "terminated", "truncated" or "cut", by the profile
    total: float  # raw return
    total_16: float  # of the first 16 steps
    total_64: float
    total_256: float
    total_1024: float
    gains: int  # steps with a reward above 0
    losses: int  # below 0
    motion: float  # mean change of a pixel from frame to frame, grey levels
    died: int  # the step at which its pictures were dead, -1: never
    points_due: int  # rewards that the picture has to show; 0 where nobody reads it
    points_shown: int  # those that it shows
    points_made_up: int  # changes of the score without a reward


_TYPES: dict[str, Any] = get_type_hints(Episode)


def to_csv(episodes: Iterable[Episode]) -> bytes:
    """The table as it is written.

    Example:
        >>> from_csv(to_csv([]))
        []
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [each.name for each in fields(Episode)]
    writer.writerow(names)
    writer.writerows([getattr(each, name) for name in names] for each in episodes)
    return text.getvalue().encode()


def from_csv(content: bytes) -> list[Episode]:
    """The inverse of `to_csv`."""
    rows = csv.reader(io.StringIO(content.decode()))
    header, expected = next(rows, []), [each.name for each in fields(Episode)]
    if header != expected:
        raise DamagedTable(f"line 1 is {','.join(header)!r}; expected {','.join(expected)!r}")
    return [_parsed(row, line) for line, row in enumerate(rows, start=2)]


def _parsed(row: list[str], line: int) -> Episode:
    try:
        return Episode(*(kind(cell) for kind, cell in zip(_TYPES.values(), row, strict=True)))
    except ValueError as fault:
        raise DamagedTable(f"line {line} is no episode: {fault}; delete the file, and it is played again") from fault


class Table:
    """Episodes by side, policy and place."""

    def __init__(self, episodes: Sequence[Episode], policies: Sequence[str]) -> None:
        self.episodes, self.policies = list(episodes), list(policies)

    def has(self, side: Side) -> bool:
        """Whether anything was played there."""
        return any(each.side == side for each in self.episodes)

    def of(self, side: Side, policy: str | None = None) -> list[Episode]:
        """One side's, of one policy or all, in order."""
        return [each for each in self.episodes if each.side == side and policy in (None, each.policy)]

    def column(self, side: Side, name: str) -> Floats:
        """One column of one side as [policies, episodes]."""
        rows = [[getattr(each, name) for each in self.of(side, policy)] for policy in self.policies]
        return np.array(rows, np.float64)
