"""GameSpec: a real game and how it is seen, as data. Imports no emulator and no Gymnasium."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

Emulator = Literal["ale", "vizdoom", "gym"]


class InvalidSpec(ValueError):
    """A game spec that cannot describe a game; the message names the field."""


@dataclass(frozen=True)
class GameSpec:
    """One game: which emulator runs it, and how the twin, the recordings and the dream see it.

    Example:
        >>> spec = GameSpec(name="Pong", emulator="ale", emulator_id="pong",
        ...                 action_meanings=("NOOP", "FIRE"), frame_size=(84, 84))
        >>> GameSpec.from_json(spec.to_json()) == spec
        True
        >>> spec.render_fps
        15
    """

    name: str  # the <Game> of Real/<Game>-v0
    emulator: Emulator
    emulator_id: str  # ROM name (ale), scenario file (vizdoom), or "module:Id-v0" (gym)
    action_meanings: tuple[str, ...]  # index = action; one name, or several joined by "+"
    frame_size: tuple[int, int] = (84, 84)  # height, width
    ticks_per_step: int = 4
    tick_rate: int = 60  # ticks per second of real time
    repeat_action_probability: float = 0.0  # per tick, applied outside the emulator
    max_pool: bool = False  # show the maximum of the last two ticks: sprites that flicker
    max_noops: int = 0  # a game starts after 1..max_noops no-op ticks; 0: at once
    max_steps: int | None = None  # time limit of an episode, in steps
    keys: dict[str, int] = field(default_factory=dict)  # held keys, joined by "+", to action
    emulator_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # JSON has no tuples: normalise, so that a spec equals its own round trip.
        object.__setattr__(self, "action_meanings", tuple(self.action_meanings))
        object.__setattr__(self, "frame_size", tuple(self.frame_size))
        self._require(self.name.isidentifier(), "name", "a Python identifier, such as 'Pong'")
        self._require(self.emulator in ("ale", "vizdoom", "gym"), "emulator", "'ale', 'vizdoom' or 'gym'")
        self._require(len(self.action_meanings) > 0, "action_meanings", "at least one action")
        self._require(
            len(self.frame_size) == 2 and all(8 <= side <= 1024 for side in self.frame_size),
            "frame_size",
            "(height, width), each 8 to 1024",
        )
        self._require(1 <= self.ticks_per_step <= 64, "ticks_per_step", "1 to 64")
        self._require(1 <= self.tick_rate <= 1000, "tick_rate", "1 to 1000 ticks per second")
        self._require(0.0 <= self.repeat_action_probability < 1.0, "repeat_action_probability", "0 to below 1")
        self._require(self.max_noops >= 0, "max_noops", "0 or more")
        self._require(self.max_steps is None or self.max_steps > 0, "max_steps", "None or at least 1")
        self._require(
            all(0 <= action < len(self.action_meanings) for action in self.keys.values()),
            "keys",
            f"actions 0 to {len(self.action_meanings) - 1}",
        )

    def _require(self, holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise InvalidSpec(f"GameSpec.{name} is {getattr(self, name)!r}; expected {expected}")

    @property
    def num_actions(self) -> int:
        """How many discrete actions there are."""
        return len(self.action_meanings)

    @property
    def render_fps(self) -> int:
        """Steps per second of real time, rounded: Gymnasium's `play` takes whole numbers only."""
        return max(1, round(self.tick_rate / self.ticks_per_step))

    @property
    def keys_to_action(self) -> dict[tuple[str, ...], int]:
        """`keys` in the form that `gymnasium.utils.play` reads."""
        return {tuple(held.split("+")) if held else (): action for held, action in self.keys.items()}

    def replace(self, **changes: Any) -> GameSpec:
        """The same game with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types only, so that an environment id can carry a whole game."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain

    def to_json(self) -> str:
        """The spec as it is written into manifests."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> GameSpec:
        """The inverse of `to_dict`; an unknown or missing key is refused by name."""
        fields = {f.name: f for f in dataclasses.fields(cls)}
        if unknown := sorted(set(plain) - set(fields)):
            raise InvalidSpec(f"GameSpec has no field {', '.join(unknown)}; it has {', '.join(fields)}")
        required = {n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING}
        if missing := sorted(required - set(plain)):
            raise InvalidSpec(f"GameSpec lacks {', '.join(missing)}")
        return cls(**plain)

    @classmethod
    def from_json(cls, text: str) -> GameSpec:
        """The inverse of `to_json`."""
        return cls.from_dict(json.loads(text))
