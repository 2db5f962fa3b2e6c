"""Who plays: the frozen policies that dream and reality have to judge alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agents.zoo import record_sha256, zoo
from data_gen.policy import Actions, Frames, Lanes, Policy

RANDOM = "random"  # who of that name plays has the return 0 once returns are normalised
_LEAST = 3

# A `Policy`, or a function of frames [B, H, W, 3] alone.
Playing = Policy | Callable[[Frames], Actions]


class UnfitZoo(ValueError):
    """Policies that cannot be compared; the message says why."""


@dataclass(frozen=True)
class Contestant:
    """One policy, by name."""

    name: str
    path: Path | None  # of its file, without suffix; None: it is a callable of the user's
    sha256: str
    held_out: bool = False  # its play was never recorded to train a world
    age: int | None = None  # training steps
    playing: Playing | None = None

    def load(self) -> Policy:
        """Ready to act."""
        if self.path is None:
            assert self.playing is not None
            return self.playing if hasattr(self.playing, "reset") else _Memoryless(self.playing)  # type: ignore[return-value]
        from agents.policy_file import load_policy

        return load_policy(self.path)


class _Memoryless:
    """A function of frames as a `Policy`."""

    def __init__(self, function: Callable[[Frames], Actions]) -> None:
        self._function = function

    def reset(self, lanes: Lanes, seeds: npt.NDArray[np.int64]) -> None:
        """It remembers nothing."""

    def __call__(self, frames: Frames, lanes: Lanes) -> Actions:
        return np.asarray(self._function(frames), np.int64)


def contestants(chosen: Path | Mapping[str, Playing] | None, game: str, num_actions: int) -> list[Contestant]:
    """The zoo of the game (None), all policies of a folder, or callables by name.

    Example:
        >>> [each.name for each in contestants(None, "Pong", 6)][:2]
        ['noop', 'ppo-5-swapped']
    """
    if isinstance(chosen, Mapping):
        found = [Contestant(name, None, "", playing=playing) for name, playing in chosen.items()]
    elif chosen is not None:
        found = _in_folder(chosen, num_actions)
    else:
        found = [
            Contestant(name, each.path, each.sha256, each.held_out, _age(each.path)) for name, each in zoo(game).items()
        ]
    if len(found) < _LEAST:
        where = f"the zoo of {game}" if chosen is None else "this zoo"
        raise UnfitZoo(
            f"{where} has {len(found)} policies; expected {_LEAST} or more to rank. Give a folder of policy files "
            "(--zoo), or callables by name in Python"
        )
    return found


def spread(members: list[Contestant], most: int | None) -> list[Contestant]:
    """At most so many of them, spread evenly over their order, with the random one.

    Example:
        >>> members = [Contestant(name, None, "") for name in ("noop", "random", "a", "b", "c", "d")]
        >>> [each.name for each in spread(members, 4)]
        ['noop', 'random', 'b', 'd']
    """
    if most is None or len(members) <= most:
        return members
    places = sorted(set(np.linspace(0, len(members) - 1, most).round().astype(int).tolist()))
    random = [place for place, each in enumerate(members) if each.name == RANDOM]
    for place in random:
        if place not in places:  # it takes the place of the nearest one
            places[int(np.abs(np.array(places[1:-1]) - place).argmin()) + 1] = place
    return [members[place] for place in sorted(places)]


def zoo_sha256(members: list[Contestant]) -> str:
    """The hash that stands for a whole zoo: of names and hashes, in order."""
    return hashlib.sha256(json.dumps([(each.name, each.sha256) for each in members]).encode()).hexdigest()


def _in_folder(folder: Path, num_actions: int) -> list[Contestant]:
    if not folder.is_dir():
        raise UnfitZoo(f"{folder} is no folder; --zoo takes a folder of policy files (<name>.json, <name>.safetensors)")
    from agents.policy_file import read_record

    paths = [file.with_suffix("") for file in sorted(folder.glob("*.json")) if file.name != "manifest.json"]
    for path in paths:
        if (found := read_record(path).num_actions) != num_actions:
            raise UnfitZoo(f"{path} has {found} actions; this game has {num_actions}")
    return [Contestant(path.name, path, record_sha256(path), age=_age(path)) for path in paths]


def _age(path: Path) -> int | None:
    from agents.policy_file import read_record

    steps = read_record(path).training.get("steps")
    return steps if isinstance(steps, int) else None
