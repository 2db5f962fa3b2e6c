"""How a game's pictures are read by measures, and what is particular to each game: a table, and nothing but a table.

A game that is not in it gets the measures that need no more than pixels, rewards and ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from data_gen.probes import Probe, probe
from data_gen.spec import GameSpec
from world_model.metrics.lanes import Limits


@dataclass(frozen=True)
class Seconds:
    """For how long each may last in a living dream; the real game stays well below."""

    still: float = 10.0
    blank: float = 10.0
    no_ball: float = 10.0
    unreadable: float = 10.0

    def limits(self, game: GameSpec) -> Limits:
        """The same in steps.

        Example:
            >>> from data_gen.games import game
            >>> Seconds(no_ball=2.0).limits(game("Pong")).no_ball
            30
        """
        per_second = game.tick_rate / game.ticks_per_step
        return Limits(*(round(each * per_second) for each in (self.still, self.blank, self.no_ball, self.unreadable)))


@dataclass(frozen=True)
class Score:
    """Two scores that are shown, and when they end a game."""

    own: str  # names of the reading's fields
    other: str
    points: int  # that end a game
    lag: int  # steps between a reward and its point in the picture, at most


@dataclass(frozen=True)
class Sight:
    """A game's probe, and what in its readings is what."""

    read: Probe
    own: str | None  # which of the reading's things the actions move; None: they move the whole picture
    ball: str  # the thing that a living game shows again and again
    balls: str | None  # the field that counts it, where there is never more than one
    numbers: tuple[str, ...]  # fields that are -1 where they cannot be read
    score: Score | None  # None: no game of two scores
    seconds: Seconds


_OWN = {"Pong": "own_paddle", "Breakout": "paddle", "DoomTakeCover": None}
_BALLS = {"Pong": ("ball", "balls"), "Breakout": ("ball", "balls"), "DoomTakeCover": ("fireball", None)}
_NUMBERS = {"Pong": ("own_score", "other_score"), "Breakout": ("score", "lives"), "DoomTakeCover": ()}
_SCORES = {"Pong": Score("own_score", "other_score", points=21, lag=1)}
_SECONDS = {
    "Pong": Seconds(still=5.0, blank=3.0, no_ball=10.0, unreadable=2.0),
    # Fireballs are all that is read, so without one a picture is blank. In 30 games the longest time without was 4 s.
    "DoomTakeCover": Seconds(still=5.0, blank=15.0, no_ball=15.0),
}


def sight(game_name: str) -> Sight | None:
    """How to read a game; None where nobody can.

    Example:
        >>> sight("Pong").own, sight("Boxing")
        ('own_paddle', None)
    """
    if game_name not in _OWN:
        return None
    return Sight(
        probe(game_name),
        _OWN[game_name],
        *_BALLS[game_name],
        _NUMBERS[game_name],
        _SCORES.get(game_name),
        _SECONDS.get(game_name, Seconds()),
    )
