"""A world that is still in training, as far as it has come: to be looked at while it learns.

    with unfinished_world(Path("runs/pong"), make_starts) as folder:
        loaded = load_world(folder)

The run is only read; the bundle lies in a temporary folder.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_gen.spec import GameSpec
from world_model.bundle import save_world
from world_model.conv_tokenizer import ConvTokenizer
from world_model.plain_config import InvalidConfig, from_plain
from world_model.simulator import SimulatorConfig
from world_model.starts import Starts
from world_model.training.checkpoint import Checkpoints, load_average
from world_model.world import World, WorldConfig

_TOKENIZER, _DYNAMICS = "tokenizer", ("own_output", "dynamics")  # the later stage first


class NothingLearned(ValueError):
    """A run that has no dynamics yet; the message says where it is."""


def is_unfinished_run(folder: Path) -> bool:
    """Whether a world is being trained in this folder, and is not exported yet."""
    return (
        any((folder / stage / "config.json").is_file() for stage in (_TOKENIZER, *_DYNAMICS))
        and not (folder / "world").is_dir()
    )


@contextmanager
def unfinished_world(run: Path, make_starts: Callable[[GameSpec], Starts]) -> Iterator[Path]:
    """The folder of a bundle with the newest averaged weights of the run; it is gone afterwards."""
    stage, file = _newest(run)
    world = World(_config(run / stage / "config.json"))
    if isinstance(world.tokenizer, ConvTokenizer):
        if not (run / _TOKENIZER).is_dir():
            raise NothingLearned(
                f"{run} took its tokenizer over from another world; it can be looked at when it is done"
            )
        world.tokenizer.load_state_dict(load_average(_last(run / _TOKENIZER)))
    average = load_average(file)
    for name in ("dynamics", "outcome"):
        world.get_submodule(name).load_state_dict(_within(name, average))
    card = f"# An unfinished world\n\n{stage}, {file.stem.replace('_', ' ')}\n"
    starts = make_starts(world.config.game)
    # Few frames, but what has not been calibrated at all would never be a surprise.
    world.calibrate_surprise(torch.from_numpy(np.concatenate([start.frames for start in starts])))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "world"
        save_world(folder, world.eval(), SimulatorConfig(), starts, card)
        yield folder


def _newest(run: Path) -> tuple[str, Path]:
    """The last stage that has a checkpoint, and that."""
    for stage in _DYNAMICS:
        if (run / stage / "last").is_dir():
            return stage, _last(run / stage)
    raise NothingLearned(f"{run} has learned no dynamics yet, so there is nothing to dream; try again later")


def _last(stage: Path) -> Path:
    file = Checkpoints(stage, 1, 1, "smaller").newest()
    if file is None:
        raise NothingLearned(f"{stage} has no checkpoint yet; try again in some minutes")
    return file


def _config(file: Path) -> WorldConfig:
    try:
        return from_plain(WorldConfig, json.loads(file.read_bytes())["about"]["world"])
    except (InvalidConfig, KeyError, TypeError, ValueError) as fault:
        raise NothingLearned(f"{file} does not say which world is trained there: {fault}") from fault


def _within(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a module's state that is of one of its parts."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
