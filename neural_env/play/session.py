"""One player at a game: what is shown, who acts, where episodes begin, what is filmed. Knows no screen, key or socket.

session = Session(Playground.real_game("Pong"), policies={})
session.begin()
scene = session.turn(2)
session.close()
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_gen.policy import Frames, Policy
from neural_env.dream_options import expected_start, is_start
from neural_env.play.action_log import Acted, Begun
from neural_env.play.film import Film
from neural_env.play.match import Match
from neural_env.play.playground import InvalidPlay, Playground, View
from neural_env.play.scene import Scene
from world_model.glyphs import PHASES

HUMAN = "human"
MAX_SEED = 2**31 - 1
AGAIN_AFTER = 30  # turns that the end of an agent's game is shown before it plays another
_LANE = np.zeros(1, np.int64)

MakePolicy = Callable[[], Policy]


@dataclass(frozen=True)
class Range:
    """What a slider may be set to."""

    least: float
    most: float
    step: float

    def nearest(self, value: float) -> float:
        """The nearest value that is allowed; a whole number where the steps are.

        Example:
            >>> Range(0.0, 2.0, 0.1).nearest(7), Range(1, 8, 1).nearest(2.2)
            (2.0, 2)
        """
        within = min(max(value, self.least), self.most)
        return round(within) if isinstance(self.step, int) else within


RANGES = {
    "steps": Range(1, PHASES + 1, 1),
    "temperature": Range(0.0, 2.0, 0.05),
    "guidance": Range(0.0, 4.0, 0.1),
    "context_noise": Range(0.0, 0.9, 0.05),
}


@dataclass(frozen=True)
class Opening:
    """How a session begins."""

    view: View | None = None  # None: the dream where there is one
    player: str = HUMAN
    start: str | int | None = (
        None  # "episode", "anywhere" or the index of a start; None: a game's beginning if it can be
    )
    seed: int = 0  # everything random follows from it


class Session:
    """A game of one player.

    Args:
        playground: what there is to play.
        policies: name -> function that makes the policy; whoever is not named here, and not "human", cannot play.
        opening: how it begins.
    """

    def __init__(
        self, playground: Playground, policies: Mapping[str, MakePolicy], opening: Opening | None = None
    ) -> None:
        opening = opening or Opening()
        self.playground = playground
        self.policies = policies
        self.sampling = playground.sampling
        self.films: list[Path] = []  # those that are finished, the newest last; may be emptied
        self.player = opening.player
        self._require_player(opening.player)
        self._abandoned = threading.Event()
        self._match = Match(playground, self._abandoned.is_set)
        self._seeds = np.random.default_rng(opening.seed)
        usual = "episode" if playground.beginnings or playground.starts is None else "anywhere"
        self._start: str | int = usual if opening.start is None else opening.start
        self._begun = Begun(opening.view or playground.views[0], None, 0, self.sampling)
        self._policy: Policy | None = None
        self._film: Film | None = None
        self._episode = self._rested = 0

    @property
    def scene(self) -> Scene:
        """What there is to see now."""
        match = self._match
        return Scene(
            match.panels,
            self._begun.view,
            self.player,
            self._episode,
            self._begun.start,
            match.step,
            match.action,
            match.executed,
            match.seconds,
            self._film is not None,
        )

    @property
    def over(self) -> bool:
        """Whether the episode has ended in every side."""
        return self._match.over

    def picture(self) -> Frames:
        """The scene as one picture, with a caption."""
        return self._match.picture()

    # ---- what a player can do ----------------------------------------------------------------------------------------

    def begin(self, start: str | int | None = None, seed: int | None = None) -> Scene:
        """A new episode at "episode", "anywhere" or the index of a start; None: as the last time that one was named."""
        if start is not None and not is_start(start):
            raise InvalidPlay(f"start is {start!r}; expected {expected_start()}")
        wanted = self._start if start is None else start
        seed = int(self._seeds.integers(MAX_SEED)) if seed is None else min(max(seed, 0), MAX_SEED)
        scene = self._begin(dataclasses.replace(self._begun, start=self._drawn(wanted, seed), seed=seed))
        self._start = wanted
        return scene

    def show(self, view: View) -> Scene:
        """Show this view, from the same start and with the same seed."""
        return self._begin(dataclasses.replace(self._begun, view=view))

    def play_as(self, player: str) -> None:
        """Let another one act from the next turn on."""
        self._require_player(player)
        self.player, self._policy = player, None

    def sample(self, **changes: float) -> None:
        """Sample the dream in another way from the next turn on; what is out of range is taken as the nearest."""
        if self.sampling is None:
            raise InvalidPlay("without a world there is no dream to sample")
        nearest = {name: RANGES[name].nearest(value) for name, value in changes.items()}
        self.sampling = dataclasses.replace(self.sampling, **nearest)  # type: ignore[arg-type]  # steps is whole
        self._begun = dataclasses.replace(self._begun, sampling=self.sampling)
        self._match.sample(self.sampling)

    def turn(self, action: int) -> Scene:
        """One step: with this action if a human plays, with the agent's otherwise."""
        if self._match.over:
            self._rest()
            return self.scene
        self._match.act(action if self.player == HUMAN else self._agents_action())
        self._film_on()
        return self.scene

    def start_film(self, path: Path) -> None:
        """Film from this moment on, into an .mp4 or .gif; the log beside it ends in .json."""
        self.finish_film()
        skipped = sum(event.times for event in self._match.events if isinstance(event, Acted))
        self._film = Film(path, self.playground.game.render_fps, skipped)
        self._film_on()

    def finish_film(self) -> None:
        """Write what was filmed; its path joins `films`."""
        if self._film is not None:
            film, self._film = self._film, None
            self.films.append(film.finish(self._match.log(film.skipped)))

    def leave(self) -> None:
        """Break off whatever takes long; may be called from another thread, and `close` must follow."""
        self._abandoned.set()

    def close(self) -> None:
        """Free everything; a film that is not finished is lost."""
        if self._film is not None:
            self._film.discard()
            self._film = None
        self._match.close()

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _begin(self, begun: Begun) -> Scene:
        if self._film is None:
            self._match.events.clear()
        self._match.begin(begun)
        self._begun, self._policy, self._rested = begun, None, 0
        self._episode += 1
        self._film_on()
        return self.scene

    def _drawn(self, wanted: str | int, seed: int) -> int | None:
        """The index of the start."""
        starts = self.playground.starts
        if starts is None or not isinstance(wanted, str):
            return None if isinstance(wanted, str) else wanted
        pool = self.playground.beginnings if wanted == "episode" else range(len(starts))
        if not pool:
            raise InvalidPlay("none of the world's starts is the beginning of a game; expected 'anywhere' or an index")
        return int(pool[int(np.random.default_rng(seed).integers(len(pool)))])

    def _rest(self) -> None:
        self._rested += 1
        if self.player != HUMAN and self._rested >= AGAIN_AFTER:
            self.begin()

    def _agents_action(self) -> int:
        """An agent that comes in late has seen nothing of the game before."""
        if self._policy is None:
            self._policy = self.policies[self.player]()
            self._policy.reset(_LANE, np.array([self._begun.seed]))
        return int(self._policy(self._match.watched[None], _LANE)[0])

    def _require_player(self, player: str) -> None:
        if player != HUMAN and player not in self.policies:
            raise InvalidPlay(f"there is no player {player!r}; there are {', '.join([HUMAN, *self.policies])}")

    def _film_on(self) -> None:
        """A film ends by itself when it is full, or when the pictures change their size."""
        if self._film is None:
            return
        picture = self.picture()
        if self._film.fits(picture):
            self._film.add(picture)
        if self._film.is_full or not self._film.fits(picture):
            self.finish_film()
