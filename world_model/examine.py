"""Looking at numbers on the way to a result that would not tell that they were not finite."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Examine(Protocol):
    """Is shown numbers, what they are, and of which lane each row is."""

    def __call__(self, values: Tensor, what: str, lane_Y: Tensor | None = None) -> None:
        """Without `lane_Y`, there is a row for each lane."""
        ...


def look_away(values: Tensor, what: str, lane_Y: Tensor | None = None) -> None:
    """An `Examine` that lets all pass."""
