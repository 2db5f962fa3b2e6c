"""Probes: what a player sees in a frame of a game (ball, paddles, bricks, scores), read from the picture alone.

A probe is a function from frames uint8 [B, H, W, 3] to a frozen dataclass of arrays with one entry per frame. It
works on the twin's frames and on a dream's alike, because it asks for nothing but the picture. What it is worth is
measured against the emulator's memory by `python -m data_gen.probes.validate`, that of Doom's against the
engine's labels in its test.

Letters of the shape suffixes: B frames, H rows, W columns, C channels, T pooled ticks, N anything counted.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from data_gen.policy import Frames

Probe = Callable[[Frames], Any]

# Strings, so that asking for one game's probe builds no other's tables.
_PROBES = {
    "Pong": "data_gen.probes.pong:read_pong",
    "Breakout": "data_gen.probes.breakout:read_breakout",
    "DoomTakeCover": "data_gen.probes.doom_take_cover:read_doom_take_cover",
}


class NoProbe(ValueError):
    """There is no probe for that game."""


def probe(game_name: str) -> Probe:
    """The probe of the game called `game_name`.

    Example:
        >>> probe("Pong").__name__
        'read_pong'
    """
    if game_name not in _PROBES:
        raise NoProbe(f"there is no probe for the game {game_name!r}; there are probes for {', '.join(_PROBES)}")
    module, function = _PROBES[game_name].split(":")
    found: Probe = getattr(import_module(module), function)
    return found
