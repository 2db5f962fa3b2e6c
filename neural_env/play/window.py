"""Play in a window of the desktop: the keys of the game act, arrows stand for w, a, s and d, _KEYS has all others."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pygame

from data_gen.policy import Frames
from data_gen.show import with_caption
from data_gen.window import Window
from neural_env.play.keys import action_of, key_names
from neural_env.play.playground import InvalidPlay
from neural_env.play.session import HUMAN, RANGES, Session

_SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_CHARACTER = 6  # pixels, of the captions
_ARROWS = {"up": "w", "left": "a", "down": "s", "right": "d"}


def play_in_window(session: Session, films: Path) -> None:
    """Play until the window is closed; films come to lie in that folder."""
    game = session.playground.game
    session.begin()
    try:
        with closing(Window(game.name, game.render_fps)) as window:
            _Desk(session, window, films).run()
    except pygame.error as fault:
        raise InvalidPlay(f"there is no screen to open a window on ({fault}); use --web or --headless") from fault


class _Desk:
    """The window, and what its keys change besides the game."""

    def __init__(self, session: Session, window: Window, films: Path) -> None:
        self._session, self._window, self._films = session, window, films
        self._game = session.playground.game
        self._held: set[str] = set()
        self._paused = self._closed = False
        self._speed = _SPEEDS.index(1.0)
        self._said = ""

    def run(self) -> None:
        """Turn after turn."""
        while True:
            for event in pygame.event.get():
                self._take(event)
            if self._closed:
                return
            if not self._paused:
                self._attempt(self._turn)
            while self._session.films:
                self._said = f"filmed {self._session.films.pop()}"
            self._show()

    def _take(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._closed = True
        elif event.type == pygame.WINDOWFOCUSLOST:
            self._held.clear()  # what is let go elsewhere is not heard here
        elif event.type == pygame.KEYUP:
            self._held.discard(self._name(event.key))
        elif event.type == pygame.KEYDOWN:
            key = self._name(event.key)
            self._held.add(key)
            if key in _KEYS and key not in key_names(self._game):
                self._said = ""
                self._attempt(lambda: _KEYS[key][1](self))

    def _name(self, key: int) -> str:
        """As the game's table has it."""
        name = pygame.key.name(key)
        return name if name in key_names(self._game) else _ARROWS.get(name, name)

    def _attempt(self, change: Callable[[], object]) -> None:
        try:
            change()
        except (InvalidPlay, OSError) as fault:
            self._said = str(fault)

    def _show(self) -> None:
        sampling = self._session.sampling
        how = [] if sampling is None else [f"{name.replace('_', ' ')} {getattr(sampling, name):g}" for name in RANGES]
        speed = _SPEEDS[self._speed]
        self._window.fps = self._game.render_fps * speed
        filming = ["filming"] * self._session.scene.filming
        state = "  ".join([self._session.player, f"speed {speed:g}", *how, *filming])
        picture = self._session.picture()
        # Two lines for what is the case, three for what can be done: a window that changes its size is a nuisance.
        lines = [*_wrapped(state, picture, 2), *_wrapped(self._said or _HELP, picture, 3)]
        self._window.show(with_caption(picture, lines))

    # ---- what the keys do --------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._session.turn(action_of(self._game, self._held))

    def _pause(self) -> None:
        self._paused = not self._paused

    def _single_step(self) -> None:
        self._paused = True
        self._turn()

    def _begin(self) -> None:
        self._session.begin()

    def _next_view(self) -> None:
        views = self._session.playground.views
        self._session.show(views[(views.index(self._session.scene.view) + 1) % len(views)])

    def _next_player(self) -> None:
        players = [HUMAN, *self._session.policies]
        self._session.play_as(players[(players.index(self._session.player) + 1) % len(players)])

    def _neighbour(self, by: int) -> None:
        starts, start = self._session.playground.starts, self._session.scene.start
        if starts is None or start is None:
            raise InvalidPlay("without a world there are no starts to choose from")
        self._session.begin((start + by) % len(starts))

    def _faster(self, by: int) -> None:
        self._speed = min(max(self._speed + by, 0), len(_SPEEDS) - 1)

    def _sample(self, name: str, by: float) -> None:
        if self._session.sampling is None:
            raise InvalidPlay("without a world there is no dream to sample")
        self._session.sample(**{name: getattr(self._session.sampling, name) + by * RANGES[name].step})

    def _film(self) -> None:
        if self._session.scene.filming:
            self._session.finish_film()
            return
        taken = len(list(self._films.glob(f"{self._game.name.lower()}-*.mp4")))
        self._session.start_film(self._films / f"{self._game.name.lower()}-{taken + 1}.mp4")


# pygame's name of the key -> what it is for, what it does.
_KEYS: dict[str, tuple[str, Callable[[_Desk], None]]] = {
    "p": ("pause", _Desk._pause),
    ".": ("step", _Desk._single_step),
    "return": ("again", _Desk._begin),
    "tab": ("view", _Desk._next_view),
    "m": ("player", _Desk._next_player),
    "[": ("start before", lambda desk: desk._neighbour(-1)),
    "]": ("start after", lambda desk: desk._neighbour(1)),
    "-": ("slower", lambda desk: desk._faster(-1)),
    "=": ("faster", lambda desk: desk._faster(1)),
    "k": ("fewer steps", lambda desk: desk._sample("steps", -1)),
    "l": ("more steps", lambda desk: desk._sample("steps", 1)),
    "t": ("colder", lambda desk: desk._sample("temperature", -1)),
    "y": ("warmer", lambda desk: desk._sample("temperature", 1)),
    "g": ("less guidance", lambda desk: desk._sample("guidance", -1)),
    "h": ("more guidance", lambda desk: desk._sample("guidance", 1)),
    "c": ("less context noise", lambda desk: desk._sample("context_noise", -1)),
    "v": ("more context noise", lambda desk: desk._sample("context_noise", 1)),
    "r": ("film", _Desk._film),
    "escape": ("end", lambda desk: setattr(desk, "_closed", True)),
}
_HELP = (
    "p pause  . step  return again  tab view  m player  [ ] start  - = speed  k l steps  t y temperature  "
    "g h guidance  c v context noise  r film"
)


def _wrapped(text: str, picture: Frames, lines: int) -> list[str]:
    """So many lines that fit below a picture."""
    parts = textwrap.wrap(text, picture.shape[1] // _CHARACTER, replace_whitespace=False)[:lines]
    return parts + [""] * (lines - len(parts))
