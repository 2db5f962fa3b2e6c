"""The bundle: one trained world as a folder of five plain files.

    save_world("worlds/pong", world, SimulatorConfig(), starts, card)
    loaded = load_world("worlds/pong")
    simulator = Simulator(loaded.world, loaded.simulator)

    worlds/pong/
      config.json             format version; sizes of the networks, the game, how the world is sampled
      weights.safetensors     every tensor, in bfloat16
      starts.npz              real moments to start from
      card.md                 where it comes from and what it can do, for people
      manifest.json           written last: format version, size and SHA-256 of the other four

Loading trusts nothing: each file must be there, plain, listed, of its size and hash, and exactly what the config calls
for, and nothing else may be there. Sizes are bounded before memory is taken. Nothing is unpickled, evaluated or
imported: even the game's spec is data until somebody makes the game from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_gen.atomic import sync_folder
from world_model.blank_world import blank_world
from world_model.bundle_files import (
    FORMAT,
    MAX_BYTES,
    BundleFiles,
    InvalidBundle,
    names_in,
    require_format,
    shortened,
    to_json,
    write_files,
)
from world_model.plain_config import from_plain, read_json, to_plain
from world_model.simulator import SimulatorConfig
from world_model.size_limits import check_sizes
from world_model.starts import Starts
from world_model.weights_file import BYTES_PER_NUMBER, check_length, fill_weights, weights_to_bytes
from world_model.world import World, WorldConfig

_BYTES_IN_MEMORY = 4  # of a number
_BUFFER_BYTES = 64 << 20  # what the networks may hold besides what is in the file


@dataclass(frozen=True)
class LoadedWorld:
    """A world as it was shipped, in single precision."""

    world: World
    simulator: SimulatorConfig
    starts: Starts
    digest: str  # SHA-256 of the manifest: names every byte of the bundle


@dataclass(frozen=True)
class _Config:
    """What config.json holds."""

    format: int
    world: WorldConfig
    simulator: SimulatorConfig


# ---- saving -------------------------------------------------------------------------------------------------------


def save_world(
    folder: Path | str,
    world: World,
    simulator: SimulatorConfig,
    starts: Starts,
    card: str,
    overwrite: bool = False,
) -> str:
    """Write a bundle to `folder`, whole or not at all, after it was loaded again as a check; returns its digest.

    An older bundle in its place is left as it is unless `overwrite` is set, and then moved away only once the new one
    is complete.
    """
    folder = Path(folder)
    _refuse_to_replace(folder, overwrite)
    contents = {
        "config.json": to_json(to_plain(_Config(FORMAT, world.config, simulator))),
        "weights.safetensors": weights_to_bytes(world),
        "starts.npz": starts.to_npz(),
        "card.md": card.encode(),
    }
    with _unfinished(folder) as unfinished:
        write_files(unfinished, contents)
        digest = load_world(unfinished).digest
        _move(unfinished, folder)
    return digest


def _refuse_to_replace(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; choose another name for the world's folder")
    found = names_in(folder) if folder.is_dir() else set()
    if foreign := sorted(found - MAX_BYTES.keys()):
        raise FileExistsError(f"{folder} holds {foreign[0]}, which is no part of a world; choose another folder")
    if found and not overwrite:
        raise FileExistsError(f"{folder} already holds a world; choose another folder, or ask to overwrite it")


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """An empty folder beside the one that is wanted; named the same at every try, which sweeps what a kill left."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move(finished: Path, folder: Path) -> None:
    """Give a folder its name, even if another one bears it."""
    replaced = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if folder.exists():
        folder.rename(replaced)
    finished.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(replaced, ignore_errors=True)


# ---- loading ------------------------------------------------------------------------------------------------------


def load_world(folder: Path | str) -> LoadedWorld:
    """The world in `folder`, after every byte of it was found right; InvalidBundle otherwise."""
    files = BundleFiles.open(Path(folder))
    with _named(files, "config.json"):
        config = _config(files.read("config.json"))
    with _named(files, "starts.npz"):
        starts = Starts.from_npz(files.read("starts.npz"), config.world.game)
    with _named(files, "card.md"):
        files.read("card.md").decode()
    length = files.manifest.files["weights.safetensors"].bytes
    with _named(files, "config.json"):
        # As much memory as there are weights to fill it: a small file cannot ask for a large world.
        world = blank_world(config.world, _BYTES_IN_MEMORY * length // BYTES_PER_NUMBER + _BUFFER_BYTES)
    with _named(files, "weights.safetensors"):
        check_length(world, length)
        fill_weights(world, files.read("weights.safetensors"))
    return LoadedWorld(world.eval(), config.simulator, starts, files.digest)


def _config(content: bytes) -> _Config:
    plain = read_json(content)
    require_format(plain)
    config = from_plain(_Config, plain)
    check_sizes(config.world)
    return config


@contextmanager
def _named(files: BundleFiles, name: str) -> Iterator[None]:
    """Say in which file the fault lies."""
    try:
        yield
    except InvalidBundle:
        raise
    except ValueError as fault:
        raise InvalidBundle(f"{files.folder / name}: {shortened(fault)}") from fault
