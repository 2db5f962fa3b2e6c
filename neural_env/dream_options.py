"""The keyword arguments of a dream: their names, their defaults, and what they may be. Imports no torch."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from world_model.simulator import SimulatorConfig

DTYPES = ("float32", "bfloat16", "float64")
START_POOLS = ("episode", "anywhere")
ON_DRIFT = ("report", "truncate")
NO_LIMIT = -1  # as max_episode_steps, here as in gym.make
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_SAMPLING = ("steps", "temperature", "guidance", "context_noise", "reward")  # what Simulator itself is told


class InvalidOption(ValueError):
    """A keyword argument or reset option that does not exist or cannot be that; the message names it."""


@dataclass(frozen=True)
class DreamOptions:
    """How a world is dreamed; None stands for what the world or the game says. All are JSON types.

    Example:
        >>> DreamOptions.of({"world": "worlds/pong", "start": "anywhere", "steps": 2}).steps
        2
        >>> DreamOptions.of({"temprature": 1.0})
        Traceback (most recent call last):
            ...
        neural_env.dream_options.InvalidOption: a dream has no option 'temprature'; did you mean 'temperature'?
    """

    world: str | None = None  # a folder or hf:org/name@revision; None: the world that is shipped for `game`
    game: str | None = None  # the game that the world must be of; None: any
    device: str = "cpu"
    dtype: str = "float32"
    steps: int | None = None  # evaluations of the head for a frame
    temperature: float | None = None  # how freely futures are drawn
    guidance: float | None = None  # above 1, follows the action more than the data did
    context_noise: float | None = None  # noise level at which frames are taken into memory
    reward: str | None = None  # "sample" draws rewards and ends by their probabilities, "mode" takes the likeliest
    start: str | int = "episode"  # where episodes begin: "episode", "anywhere", or the index of a start
    repeat_action_probability: float | None = None  # of each tick
    max_episode_steps: int | None = None  # the limit that truncates; -1: none
    on_drift: str = "report"  # whether too much surprise truncates, or is but reported
    deterministic: str | None = None  # "bitwise" or "fast"; None: bitwise on a CPU, fast elsewhere

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("world", _is_text_or_none(self.world), "a folder or hf:org/name@revision"),
            ("game", _is_text_or_none(self.game), "the name of a game"),
            ("device", isinstance(self.device, str) and _DEVICE.fullmatch(self.device), "'cpu', 'cuda' or 'cuda:<n>'"),
            ("dtype", self.dtype in DTYPES, _listed(DTYPES)),
            ("steps", _is_none_or(_is_whole, self.steps, 1), "a whole number from 1 on"),
            ("temperature", _is_none_or(_is_number, self.temperature, 0), "a number from 0 on"),
            ("guidance", _is_none_or(_is_number, self.guidance, -math.inf), "a finite number"),
            ("context_noise", _is_none_or(_is_share, self.context_noise, 0), "a number from 0 to below 1"),
            ("reward", self.reward in (None, "sample", "mode"), "'sample' or 'mode'"),
            ("start", is_start(self.start), expected_start()),
            (
                "repeat_action_probability",
                _is_none_or(_is_share, self.repeat_action_probability, 0),
                "a number from 0 to below 1",
            ),
            (
                "max_episode_steps",
                self.max_episode_steps == NO_LIMIT or _is_none_or(_is_whole, self.max_episode_steps, 1),
                f"a whole number from 1 on, or {NO_LIMIT} for no limit",
            ),
            ("on_drift", self.on_drift in ON_DRIFT, _listed(ON_DRIFT)),
            ("deterministic", self.deterministic in (None, "bitwise", "fast"), "'bitwise' or 'fast'"),
            ("deterministic", self.deterministic != "bitwise" or self.device == "cpu", "'fast' on anything but a CPU"),
        ):
            if not holds:
                raise InvalidOption(f"{name} is {getattr(self, name)!r}; expected {expected}")

    @classmethod
    def of(cls, options: Mapping[str, Any], known: Iterable[str] = ()) -> DreamOptions:
        """The options of these names; `known` are further names that the caller has taken out, for suggestions."""
        names = [field.name for field in dataclasses.fields(cls)]
        refuse_unknown("a dream", options, names, [*names, *known])
        return cls(**{name: _as_text(value) for name, value in options.items()})

    def given(self) -> dict[str, Any]:
        """Those that are not as they would be anyway, by name.

        Example:
            >>> DreamOptions(steps=2, start="anywhere").given()
            {'steps': 2, 'start': 'anywhere'}
        """
        usual = DreamOptions()
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in named.items() if value != getattr(usual, name)}

    def whole_games(self, limit: int | None = None) -> DreamOptions:
        """The same dream played as games are: from their beginning to their end, whatever happens in them.

        With a `limit`, to that many steps at most: in a poor world a game may never end.

        Example:
            >>> DreamOptions(start="anywhere", max_episode_steps=50, temperature=0.5).whole_games().given()
            {'temperature': 0.5}
        """
        return dataclasses.replace(self, start="episode", max_episode_steps=limit, on_drift="report")

    def sampling(self, shipped: SimulatorConfig) -> SimulatorConfig:
        """How the simulator is to sample: as it was shipped, but for what these options say."""
        chosen = {name: getattr(self, name) for name in _SAMPLING}
        return dataclasses.replace(shipped, **{name: value for name, value in chosen.items() if value is not None})


def refuse_unknown(whose: str, given: Iterable[str], names: Iterable[str], suggested: Iterable[str] = ()) -> None:
    """InvalidOption for the first given name that is not one of `names`, with the nearest that is."""
    names = list(names)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), [*suggested] or names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            raise InvalidOption(f"{whose} has no option {name!r}; {hint}")


def is_start(start: Any) -> bool:
    """Whether this says where episodes begin."""
    return (isinstance(start, str) and start in START_POOLS) or _is_whole(start, 0)


def expected_start() -> str:
    """What `is_start` accepts, in words."""
    return f"{_listed(START_POOLS)} or the index of a start"


def _as_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _is_text_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def _is_none_or(rule: Any, value: Any, least: float) -> bool:
    return value is None or rule(value, least)


def _is_whole(value: Any, least: float) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)


def _is_number(value: Any, least: float) -> bool:
    is_real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return is_real and math.isfinite(value) and bool(value >= least)


def _is_share(value: Any, least: float) -> bool:
    return _is_number(value, least) and value < 1


def _listed(names: Iterable[str]) -> str:
    return " or ".join(map(repr, names))
