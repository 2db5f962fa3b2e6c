"""`Real/<Game>-v0` for every game, and `register_game` for a user's own."""

from __future__ import annotations

import gymnasium

from data_gen.games import add_game, games
from data_gen.spec import GameSpec


def twin_id(name: str) -> str:
    """The environment id of a game's twin.

    Example:
        >>> twin_id("Pong")
        'Real/Pong-v0'
    """
    return f"Real/{name}-v0"


def register_twins() -> None:
    """Register the twins of all known games; calling it again changes nothing."""
    for spec in games():
        _register(spec)


def register_game(spec: GameSpec) -> str:
    """Make a game of your own known under `Real/<name>-v0`; returns that id.

    The whole spec travels in the id's keyword arguments, so that worker processes, which never ran your script, can
    make the twin too.

    Example:
        >>> register_game(GameSpec(name="Frostbite", emulator="ale", emulator_id="frostbite",
        ...                        action_meanings=("NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN")))
        'Real/Frostbite-v0'
        >>> gymnasium.make("Real/Frostbite-v0").observation_space.shape
        (84, 84, 3)
    """
    add_game(spec)
    _register(spec)
    return twin_id(spec.name)


def _register(spec: GameSpec) -> None:
    if twin_id(spec.name) not in gymnasium.registry:
        gymnasium.register(
            twin_id(spec.name),
            entry_point="data_gen.twin:Twin",
            kwargs={"game": spec.to_dict()},
        )
