"""Where worlds lie, and which game each is of, without loading any: `gym.make` needs no more, and no torch."""

from __future__ import annotations

from pathlib import Path

from data_gen.spec import GameSpec, InvalidSpec
from neural_env.dream_options import DreamOptions, InvalidOption
from world_model.bundle_files import BundleFiles, InvalidBundle
from world_model.plain_config import InvalidConfig, read_json
from world_model.shipped import shipped_world

_HUB = "hf:"


class NoWorld(FileNotFoundError):
    """There is no world to dream of; the message says how to get or train one."""


class WrongWorld(ValueError):
    """What lies there is a world, but not the one that is wanted."""


def find_world(options: DreamOptions) -> Path:
    """The folder of the world that the options ask for; one from the hub is fetched."""
    if options.world is None:
        return _shipped(options.game)
    if options.world.startswith(_HUB):
        from world_model.hub import resolve_world

        return resolve_world(options.world).absolute()
    folder = Path(options.world).absolute()
    if not folder.is_dir() and (shipped := shipped_world(options.world)) is not None:
        return shipped
    if not folder.is_dir():
        raise NoWorld(f"there is no world in {folder}: it is no folder; {how_to_train(options.game)}")
    return folder


def game_in(folder: Path, expected: str | None = None) -> GameSpec:
    """The game of the world in `folder`, by its config alone; the rest is checked when it is loaded."""
    files = BundleFiles.open(folder)
    try:
        game = GameSpec.from_dict(read_json(files.read("config.json"))["world"]["game"])
    except (InvalidConfig, InvalidSpec, KeyError, TypeError) as fault:
        raise InvalidBundle(
            f"config.json in {folder} describes no game: {fault}; copy or make the world anew"
        ) from fault
    if expected not in (None, game.name):
        raise WrongWorld(
            f"the world in {folder} is of {game.name}, not of {expected}; Dream/World-v0 takes a world of any game"
        )
    return game


def how_to_train(game: str | None) -> str:
    """The commands that make a world.

    Example:
        >>> print(how_to_train("Breakout"))
        train one: neural-env record --game Breakout --policies random-hold --out recordings/breakout && neural-env \
world train --data recordings/breakout --out runs/breakout, which makes runs/breakout/world
    """
    game = game or "Pong"
    name = game.lower()
    return (
        f"train one: neural-env record --game {game} --policies random-hold --out recordings/{name} && "
        f"neural-env world train --data recordings/{name} --out runs/{name}, which makes runs/{name}/world"
    )


def _shipped(game: str | None) -> Path:
    if game is None:
        raise InvalidOption("this id needs world=...: the folder of a world, or hf:org/name@revision")
    folder = shipped_world(game)
    if folder is None:
        raise NoWorld(
            f"no world of {game} comes with this package; if you have one, pass world='<its folder, or "
            f"hf:org/name@revision>'; or {how_to_train(game)}"
        )
    return folder
