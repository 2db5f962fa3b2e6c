"""`neural-env games`: what is there to play, and how each game is seen."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import gymnasium

from data_gen.games import game, games
from data_gen.registration import twin_id
from data_gen.spec import GameSpec
from neural_env.registration import dream_id
from world_model.bundle_files import BundleFiles, InvalidBundle
from world_model.shipped import shipped_world


@dataclass(frozen=True)
class GamesConfig:
    """List the games."""

    game: str | None = None  # only this one


def list_games(config: GamesConfig) -> None:
    """Print the games."""
    chosen = games() if config.game is None else (game(config.game),)
    print("\n\n".join(described(spec) for spec in chosen))


def described(spec: GameSpec) -> str:
    """One game in a few lines.

    Example:
        >>> print(described(game("DoomBasic")))
        DoomBasic  Real/DoomBasic-v0
          frames   72x96 RGB, 9 steps a second of 4 ticks each
          sticky   no
          limit    75 steps
          actions  0 NOOP, 1 MOVE_LEFT, 2 MOVE_RIGHT, 3 ATTACK
          dream    no world comes with this package: neural-env world train makes one
    """
    height, width = spec.frame_size
    sticky = spec.repeat_action_probability
    actions = ", ".join(f"{action} {meaning}" for action, meaning in enumerate(spec.action_meanings))
    rows = {
        "frames": f"{height}x{width} RGB, {spec.render_fps} steps a second of {spec.ticks_per_step} ticks each",
        "sticky": f"each tick repeats the previous action with probability {sticky}" if sticky else "no",
        "limit": "none" if spec.max_steps is None else f"{spec.max_steps:,} steps",
        "actions": textwrap.fill(actions, 100, subsequent_indent=" " * 11),
        "dream": dream_of(spec),
    }
    return "\n".join(
        [f"{spec.name}  {'  '.join(ids(spec.name))}", *(f"  {key:<7}  {row}" for key, row in rows.items())]
    )


def ids(name: str) -> list[str]:
    """The registered environments of a game that can be made: its twin, and its dream once there is a world."""
    registered = [twin_id(name), *([dream_id(name)] if shipped_world(name) else [])]
    return sorted(env for env in registered if env in gymnasium.registry)


def dream_of(spec: GameSpec) -> str:
    """Whether there is a world to dream of."""
    folder = shipped_world(spec.name)
    if folder is None:
        return "no world comes with this package: neural-env world train makes one"
    try:
        return f"world {BundleFiles.open(folder).digest[:12]}, which comes with this package"
    except InvalidBundle as fault:
        return f"damaged: {fault}"
