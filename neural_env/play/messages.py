"""What the page may ask for: JSON objects, each of one of these kinds, with exactly its fields.

    {"name": "keys", "held": ["w"]}
    {"name": "begin", "start": 3, "seed": null}

Numbers that are out of range are taken as the nearest that is allowed; everything else that is wrong is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neural_env.play.playground import View
from neural_env.play.session import RANGES, Range
from world_model.plain_config import InvalidConfig, from_plain, read_json

MAX_KEYS = 8  # held at once
SPEED = Range(0.1, 4.0, 0.1)


class BadMessage(ValueError):
    """A message that is none of these; the text says what was expected."""


@dataclass(frozen=True)
class Keys:
    """The keys that are held now; those that mean nothing in the game are not looked at."""

    held: tuple[str, ...]
    name: Literal["keys"] = "keys"

    def __post_init__(self) -> None:
        if len(self.held) > MAX_KEYS:
            raise ValueError(f"held names {len(self.held)} keys; expected at most {MAX_KEYS}")


@dataclass(frozen=True)
class Hold:
    """An action that is held with a button, whatever the keys say; None lets it go."""

    action: int | None
    name: Literal["hold"] = "hold"


@dataclass(frozen=True)
class Begin:
    """A new episode."""

    start: int | str | None
    seed: int | None
    name: Literal["begin"] = "begin"


@dataclass(frozen=True)
class Show:
    """Another view of the same episode, from its start."""

    view: View
    name: Literal["show"] = "show"


@dataclass(frozen=True)
class PlayAs:
    """Another one acts."""

    player: str
    name: Literal["play_as"] = "play_as"


@dataclass(frozen=True)
class Sample:
    """Another way of sampling the dream."""

    values: dict[str, float]
    name: Literal["sample"] = "sample"

    def __post_init__(self) -> None:
        if unknown := sorted(self.values.keys() - RANGES.keys()):
            raise ValueError(f"values names {unknown[0][:40]!r}; expected some of {', '.join(RANGES)}")


@dataclass(frozen=True)
class Speed:
    """How fast time goes, beside the game's own speed."""

    factor: float
    name: Literal["speed"] = "speed"


@dataclass(frozen=True)
class Pause:
    """Whether time stands still."""

    paused: bool
    name: Literal["pause"] = "pause"


@dataclass(frozen=True)
class SingleStep:
    """One step while time stands still."""

    name: Literal["single_step"] = "single_step"


@dataclass(frozen=True)
class Film:
    """Film from now on, or finish the film (None)."""

    suffix: Literal[".mp4", ".gif"] | None
    name: Literal["film"] = "film"


Message = Keys | Hold | Begin | Show | PlayAs | Sample | Speed | Pause | SingleStep | Film


@dataclass(frozen=True)
class _Envelope:
    message: Message


def parsed(text: str | None) -> Message:
    """The message that a text holds, or BadMessage.

    Example:
        >>> parsed('{"name": "pause", "paused": true}')
        Pause(paused=True, name='pause')
        >>> parsed('{"name": "pause", "paused": true, "for": 3}')
        Traceback (most recent call last):
            ...
        neural_env.play.messages.BadMessage: message: unknown fields ["for"], missing fields []
    """
    if text is None:
        raise BadMessage("the message is binary; expected JSON")
    try:
        return from_plain(_Envelope, {"message": read_json(text.encode(errors="replace"))}).message
    except InvalidConfig as fault:
        raise BadMessage(str(fault)) from fault
