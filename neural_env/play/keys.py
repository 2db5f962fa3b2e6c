"""Held keys -> action, by the game's own table."""

from __future__ import annotations

from collections.abc import Collection

from data_gen.spec import GameSpec

_NOOP = 0


def action_of(game: GameSpec, held: Collection[str]) -> int:
    """The action of the most keys that are all held; where several have as many, of the first in the table.

    Example:
        >>> from data_gen.games import game
        >>> pong = game("Pong")
        >>> [pong.action_meanings[action_of(pong, held)] for held in (["w"], ["w", "space"], ["x"], [])]
        ['RIGHT', 'RIGHTFIRE', 'NOOP', 'NOOP']
    """
    fitting = [keys for keys in game.keys_to_action if set(keys) <= set(held)]
    return game.keys_to_action[max(fitting, key=len)] if fitting else _NOOP


def key_names(game: GameSpec) -> frozenset[str]:
    """Every key that means something."""
    return frozenset(key for keys in game.keys_to_action for key in keys)
