"""What there is to see of a session at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_gen.policy import Frames
from neural_env.play.playground import View

SideName = Literal["dream", "real"]


@dataclass(frozen=True, eq=False)
class Panel:
    """One side."""

    side: SideName
    frame: Frames  # uint8 [H, W, 3], the game's own size
    score: float  # sum of rewards since the episode began
    reward: float  # of the last step
    over: bool
    surprise: float | None = None  # how unlike real frames the dream has become; above 1, one in a thousand is as much


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that is shown."""

    panels: tuple[Panel, ...]
    view: View
    player: str
    episode: int  # how many have begun
    start: int | None  # of the world's starts
    step: int  # of the episode
    action: int | None  # the last one; None before the first
    executed: tuple[int, ...]  # its ticks, after stickiness
    seconds: float  # that the last step took
    filming: bool
