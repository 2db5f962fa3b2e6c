"""The stage `neural-env play`: hands policies to the faces of `neural_env.play`.

neural-env play Pong --world runs/pong/world                                   # a window
neural-env play Pong --world runs/pong/world --web                             # a page
neural-env play Pong --real --headless --actions zoo/ppo-5 --out pong.mp4      # no screen
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tyro

from agents.zoo import resolve, zoo
from data_gen.behaviours import RandomHold
from data_gen.plan import RANDOM_HOLD
from data_gen.policy import Policy
from data_gen.spec import GameSpec
from neural_env.dream_options import START_POOLS, DreamOptions
from neural_env.play.action_log import read_log
from neural_env.play.film import LOG_SUFFIX
from neural_env.play.fresh_starts import fresh_starts
from neural_env.play.headless import film_log, film_turns
from neural_env.play.match import Match
from neural_env.play.playground import InvalidPlay, Playground, View
from neural_env.play.session import HUMAN, MakePolicy, Opening, Session
from world_model.action_script import read_actions
from world_model.shipped import shipped_world
from world_model.training.unfinished_world import is_unfinished_run, unfinished_world

_GAME = "Pong"
_HEADLESS_STEPS = 1_000  # of an agent, where --steps does not say


@dataclass(frozen=True)
class PlayConfig:
    """Play a dream, its real game, or both side by side: in a window, or with --web or --headless."""

    game: tyro.conf.Positional[str | None] = None  # default: Pong, or whatever the world is of
    world: str | None = None  # folder of a world or of its training, a game whose world ships, or hf:org/name@revision
    real: bool = False  # begin with the real game; needs no world
    both: bool = False  # begin with dream and real side by side
    player: str = HUMAN  # who plays first: human, zoo/<name>, random-hold, or a policy's path without suffix
    start: str | None = None  # where episodes begin: episode, anywhere, or the number of one of the world's starts
    seed: int = 0
    device: str = "cpu"
    web: bool = False  # a page in the browser instead of a window
    host: str = "127.0.0.1"  # with --web: the address to listen on
    port: int = 8000  # with --web; 0: any that is free
    expose: str | None = None  # with another --host than this machine's own: the name that others open the page by
    token: str | None = None  # with --expose: a secret of 16 characters or more, which the page's address must hold
    headless: bool = False  # no screen: film --actions into --out
    actions: str | None = None  # with --headless: a log of actions, a file of actions, or a player
    out: Path | None = None  # with --headless: ends in .mp4 or .gif
    steps: int | None = None  # with --headless: at most so many
    films: Path = Path("films")  # folder of what is filmed in the window

    def __post_init__(self) -> None:
        if self.real and self.both:
            raise InvalidPlay("--real and --both say two things about what to begin with; give one of them")
        if self.web and self.headless:
            raise InvalidPlay("--web and --headless exclude each other; give one of them")
        if self.headless and (self.actions is None or self.out is None):
            raise InvalidPlay("--headless needs --actions (a file or a player) and --out (a video)")
        if not self.headless and (self.actions is not None or self.out is not None or self.steps is not None):
            raise InvalidPlay("--actions, --out and --steps are for --headless; add that")

    @property
    def view(self) -> View:
        """What is shown first."""
        return "real" if self.real else "both" if self.both else "dream"


def play(config: PlayConfig) -> None:
    """Open the playground and hand it to one of the three faces."""
    with playground(config) as ground:
        ground.require(config.view)
        if config.headless:
            _headless(config, ground)
        elif config.web:
            _web(config, ground)
        else:
            _window(config, ground)


@contextmanager
def playground(config: PlayConfig) -> Iterator[Playground]:
    """What there is to play; a world that is still in training lies in a temporary folder meanwhile."""
    run, game = Path(config.world or ""), config.game or _GAME
    if config.world is None and config.real and shipped_world(game) is None:
        yield Playground.real_game(game)
    elif config.world is not None and is_unfinished_run(run):
        with unfinished_world(run, fresh_starts) as folder:
            yield _dream(config, str(folder))
    else:
        # A run that is finished has its world within it.
        finished = str(run / "world") if config.world is not None and (run / "world").is_dir() else config.world
        yield _dream(config, finished)


def policies(game: GameSpec, *more: str) -> dict[str, MakePolicy]:
    """The players besides a human: the game's zoo, random actions, and further policies by path."""
    for name in more:
        _policy(name, game)  # a mistake in a path is told before anything is opened
    names = [f"zoo/{name}" for name in reversed(zoo(game.name))]
    return {name: partial(_policy, name, game) for name in [*names, RANDOM_HOLD, *more]}


# ---- faces ---------------------------------------------------------------------------------------------------------


def _window(config: PlayConfig, ground: Playground) -> None:
    from neural_env.play.window import play_in_window

    with closing(_session(config, ground, config.player)) as session:
        play_in_window(session, config.films)


def _web(config: PlayConfig, ground: Playground) -> None:
    from neural_env.play.doors import Doors
    from neural_env.play.server import serve

    doors = Doors.opened(config.host, config.port, config.expose, config.token)
    serve(ground, policies(ground.game, *_own(config.player)), _opening(config, config.player), doors)


def _headless(config: PlayConfig, ground: Playground) -> None:
    assert config.actions is not None
    assert config.out is not None
    file = Path(config.actions)
    if file.suffix == LOG_SUFFIX and file.is_file():
        with closing(Match(ground)) as match:
            film_log(match, read_log(file), config.out)
        print(f"{config.out}: what {file} tells")
        return
    is_script = file.is_file()
    player = HUMAN if is_script else config.actions
    steps = _HEADLESS_STEPS if config.steps is None else config.steps
    actions = read_actions(file, ground.game.action_meanings) if is_script else np.zeros(steps, np.int64)
    with closing(_session(config, ground, player)) as session:
        scene = film_turns(session, actions[: config.steps].tolist(), config.out)
    scores = ", ".join(f"{panel.side} {panel.score:+g}" for panel in scene.panels)
    print(f"{config.out}: {scene.step} steps, {scores}; {config.out.with_suffix(LOG_SUFFIX).name} has its actions")


# ---- parts ---------------------------------------------------------------------------------------------------------


def _dream(config: PlayConfig, world: str | None) -> Playground:
    game = config.game or (_GAME if world is None else None)
    return Playground.dream_of(DreamOptions(world=world, game=game, device=config.device))


def _session(config: PlayConfig, ground: Playground, player: str) -> Session:
    return Session(ground, policies(ground.game, *_own(player)), _opening(config, player))


def _opening(config: PlayConfig, player: str) -> Opening:
    return Opening(config.view, player, _start(config), config.seed)


def _own(player: str) -> list[str]:
    """A policy that the zoo does not have."""
    return [] if player in (HUMAN, RANDOM_HOLD) or player.startswith("zoo/") else [player]


def _policy(name: str, game: GameSpec) -> Policy:
    if name == RANDOM_HOLD:
        return RandomHold(game.num_actions)
    from agents.policy_file import load_policy

    policy = load_policy(resolve(name, game.name))
    if policy.num_actions != game.num_actions:
        raise InvalidPlay(f"{name} knows {policy.num_actions} actions; {game.name} has {game.num_actions}")
    return policy


def _start(config: PlayConfig) -> str | int | None:
    if config.start is None or config.start in START_POOLS:
        return config.start
    if not config.start.isdecimal():
        raise InvalidPlay(f"start is {config.start!r}; expected episode, anywhere or the number of a start")
    return int(config.start)
