"""`Dream/<Game>-v0` for every game, `Dream/World-v0` for any world, and `register_dream` for a user's own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from data_gen import registration
from data_gen.games import games
from data_gen.spec import GameSpec
from neural_env.dream_options import InvalidOption

_ANY_WORLD = "World"
_ENTRY_POINT = "neural_env.dream_env:DreamEnv"


def dream_id(name: str) -> str:
    """The environment id of a game's dream.

    Example:
        >>> dream_id("Pong")
        'Dream/Pong-v0'
    """
    return f"Dream/{name}-v0"


def is_dream(spec: EnvSpec) -> bool:
    """Whether an id is a dream of a world, whose inside can be looked at.

    Example:
        >>> is_dream(gymnasium.spec("Real/Pong-v0"))
        False
    """
    made_by = spec.entry_point
    return (f"{made_by.__module__}:{made_by.__name__}" if isinstance(made_by, type) else made_by) == _ENTRY_POINT


def register_dreams() -> None:
    """Register the dreams of all known games; calling it again changes nothing."""
    for spec in games():
        if dream_id(spec.name) not in gymnasium.registry:
            _register(spec.name, {"game": spec.name})
    if dream_id(_ANY_WORLD) not in gymnasium.registry:
        _register(_ANY_WORLD, {})


def register_game(spec: GameSpec) -> str:
    """Make a game of your own known under `Real/<name>-v0`; its dream, once it has a world, is `Dream/<name>-v0`.

    Example:
        >>> register_game(GameSpec(name="Freeway", emulator="ale", emulator_id="freeway",
        ...                        action_meanings=("NOOP", "UP", "DOWN")))
        'Real/Freeway-v0'
        >>> dream_id("Freeway") in gymnasium.registry
        True
    """
    real_id = registration.register_game(spec)
    register_dreams()
    return real_id


def register_dream(game: str, world: str | PathLike[str]) -> str:
    """Let `Dream/<game>-v0` be the dream of this world, a folder or `hf:org/name@revision`; returns that id.

    The world's place travels in the id's keyword arguments, so that worker processes, which never ran your script, can
    make the dream too. A later call for the same game takes the place of an earlier one.

    Example:
        >>> register_dream("Frostbite", "runs/frostbite/world")
        'Dream/Frostbite-v0'
    """
    if not game.isidentifier() or game == _ANY_WORLD:
        raise InvalidOption(f"game is {game!r}; expected the name of a game, such as 'Pong'")
    place = str(world)
    place = place if place.startswith("hf:") else str(Path(place).absolute())
    gymnasium.registry.pop(dream_id(game), None)
    _register(game, {"game": game, "world": place})
    return dream_id(game)


def _register(name: str, kwargs: dict[str, Any]) -> None:
    gymnasium.register(
        dream_id(name),
        entry_point=_ENTRY_POINT,
        vector_entry_point="neural_env.dream_vector:DreamVectorEnv",
        kwargs=kwargs,
    )
