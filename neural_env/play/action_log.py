"""What was played, as JSON: enough to see every frame of it again.

    log = read_log(Path("pong.json"))
    match = Match(playground)
    for event in log.events: match.apply(event)

A log begins with the beginning of an episode. Reading trusts nothing: the file has exactly these fields, of these types
and within these bounds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_gen.atomic import write_atomically
from neural_env.play.playground import View
from world_model.bundle_files import to_json
from world_model.plain_config import InvalidConfig, from_plain, read_json, to_plain
from world_model.simulator import SimulatorConfig

_FORMAT = 1
_MAX_BYTES = 8 << 20
_MAX_STEPS = 1_000_000
_MAX_SEED = 2**63


class InvalidLog(ValueError):
    """A log that is damaged, or of another game or world; the message names the file."""


@dataclass(frozen=True)
class Begun:
    """An episode began."""

    view: View
    start: int | None  # of the world's starts; None: a new real game
    seed: int
    sampling: SimulatorConfig | None  # of the dream; None without a world
    name: Literal["begun"] = "begun"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < _MAX_SEED or (self.start is not None and self.start < 0):
            raise ValueError(f"seed is {self.seed} and start is {self.start}; expected neither below 0")


@dataclass(frozen=True)
class Sampled:
    """From here on the dream was sampled in another way."""

    config: SimulatorConfig
    name: Literal["sampled"] = "sampled"


@dataclass(frozen=True)
class Acted:
    """One action, so many steps in a row."""

    action: int
    times: int
    name: Literal["acted"] = "acted"

    def __post_init__(self) -> None:
        if self.action < 0 or not 1 <= self.times <= _MAX_STEPS:
            raise ValueError(f"action is {self.action}, {self.times} times; expected 0 or more, 1 to {_MAX_STEPS:,}")


Event = Begun | Sampled | Acted


@dataclass(frozen=True)
class ActionLog:
    """Everything that decides what was seen.

    Example:
        >>> log = ActionLog("Pong", None, 0, (Begun("real", None, 7, None), Acted(2, 8), Acted(0, 1)))
        >>> log.steps
        9
    """

    game: str
    world: str | None  # the world's digest; None: the real game alone
    skipped: int  # steps at the beginning that are played but not filmed
    events: tuple[Event, ...]
    format: int = _FORMAT

    def __post_init__(self) -> None:
        if self.format != _FORMAT:
            raise ValueError(f"format is {self.format}; this version reads format {_FORMAT}")
        if not self.events or not isinstance(self.events[0], Begun):
            raise ValueError("events is empty or does not begin with an episode's beginning")
        if not 0 <= self.skipped <= self.steps <= _MAX_STEPS:
            raise ValueError(f"skipped is {self.skipped} of {self.steps} steps; expected at most {_MAX_STEPS:,} steps")

    @property
    def steps(self) -> int:
        """How many steps were played."""
        return sum(event.times for event in self.events if isinstance(event, Acted))


def note(events: list[Event], event: Event) -> None:
    """Add an event; an action that is held becomes one event.

    Example:
        >>> events: list[Event] = [Acted(2, 3)]
        >>> note(events, Acted(2, 1))
        >>> events
        [Acted(action=2, times=4, name='acted')]
    """
    last = events[-1] if events else None
    if isinstance(event, Acted) and isinstance(last, Acted) and last.action == event.action:
        events[-1] = dataclasses.replace(last, times=last.times + event.times)
    else:
        events.append(event)


def write_log(file: Path, log: ActionLog) -> None:
    """Write the log, whole or not at all."""
    write_atomically(file, to_json(to_plain(log)))


def read_log(file: Path) -> ActionLog:
    """The log in `file`, or InvalidLog."""
    size = file.stat().st_size
    if size > _MAX_BYTES:
        raise InvalidLog(f"{file} has {size} bytes; a log of actions has at most {_MAX_BYTES}")
    try:
        return from_plain(ActionLog, read_json(file.read_bytes()))
    except InvalidConfig as fault:
        raise InvalidLog(f"{file} is no log of actions: {fault}") from fault
