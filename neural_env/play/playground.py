"""What there is to play: a game, its dream where there is a world, and the real one where it may be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from data_gen.games import UnknownGame, game
from data_gen.spec import GameSpec
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from world_model.simulator import SimulatorConfig
from world_model.starts import Starts

View = Literal["dream", "real", "both"]
VIEWS: tuple[View, ...] = get_args(View)
_GAME_ITSELF = ("emulator", "emulator_id", "emulator_kwargs", "action_meanings")  # in contrast to how it is seen


class InvalidPlay(ValueError):
    """Something that cannot be played, or not in that way; the message says what can."""


@dataclass(frozen=True)
class Playground:
    """A game with the sides of it that can be shown; loads no world before one is asked for.

    Example:
        >>> Playground.real_game("Pong").views
        ('real',)
    """

    game: GameSpec
    dream: Dream | None
    why_not_real: str = ""  # empty: the real game can be shown

    @classmethod
    def real_game(cls, name: str) -> Playground:
        """The real game alone, without any world."""
        return cls(game(name), None)

    @classmethod
    def dream_of(cls, options: DreamOptions) -> Playground:
        """The dream that these options ask for, and its real game."""
        dream = Dream(options)
        return cls(dream.game, dream, why_not_known(dream.game))

    @property
    def views(self) -> tuple[View, ...]:
        """What can be shown."""
        if self.dream is None:
            return ("real",)
        return ("dream",) if self.why_not_real else VIEWS

    @property
    def starts(self) -> Starts | None:
        """The moments that the world can begin at; None without a world."""
        return None if self.dream is None else self.dream.shared.starts

    @property
    def beginnings(self) -> Sequence[int]:
        """Those of the starts that are the beginnings of games."""
        return [] if self.dream is None else self.dream.shared.beginnings

    @property
    def digest(self) -> str | None:
        """Names the world to the byte; None without one."""
        return None if self.dream is None else self.dream.shared.digest

    @property
    def sampling(self) -> SimulatorConfig | None:
        """How the dream is sampled unless the player says otherwise; None without a world."""
        return None if self.dream is None else self.dream.options.sampling(self.dream.shared.sampling)

    def require(self, view: View) -> None:
        """InvalidPlay unless this can be shown."""
        if view in self.views:
            return
        reason = "there is no world here to dream of: give one with --world" if self.dream is None else ""
        raise InvalidPlay(f"{view} cannot be shown; {reason or self.why_not_real}")


def why_not_known(spec: GameSpec) -> str:
    """Empty if this game is known here, be it seen in another way: in another size, or with another time limit.

    A world is data of unknown origin: it may name a game that is known, but not bring one of its own, whose emulator
    would be imported.
    """
    try:
        known = game(spec.name)
    except UnknownGame:
        return f"no game is called {spec.name!r} here: register it with neural_env.register_game(spec)"
    differing = [name for name in _GAME_ITSELF if getattr(spec, name) != getattr(known, name)]
    return f"the world was made for a {spec.name} of another {differing[0]} than is known here" if differing else ""
