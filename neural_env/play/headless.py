"""Play without any screen, into a film."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from data_gen.policy import Frames
from neural_env.play.action_log import Acted, ActionLog, Sampled
from neural_env.play.film import Film
from neural_env.play.match import Match
from neural_env.play.scene import Scene
from neural_env.play.session import Session


def film_turns(session: Session, actions: Iterable[int], out: Path) -> Scene:
    """Film a new episode until it ends, the actions end or the film is full; returns what was seen last.

    An agent plays its own actions; of those given, only the number counts then.
    """
    scene = session.begin()
    session.start_film(out)
    for action in actions:
        scene = session.turn(action)
        if session.over or not scene.filming:
            break
    session.finish_film()
    return scene


def film_log(match: Match, log: ActionLog, out: Path) -> None:
    """Film again what a log tells, from the moment at which its own film began."""
    match.require_fitting(log)
    film = Film(out, match.playground.game.render_fps, log.skipped)
    try:
        for picture in pictures_of(match, log):
            if not film.is_full:
                film.add(picture)
        film.finish(log)
    finally:
        film.discard()


def pictures_of(match: Match, log: ActionLog) -> Iterator[Frames]:
    """Every picture of the log's film."""
    played = 0
    for event in log.events:
        for _ in range(event.times if isinstance(event, Acted) else 1):
            match.apply(event)
            played += isinstance(event, Acted)
            if played >= log.skipped and not isinstance(event, Sampled):
                yield match.picture()
