"""What is compared: two ids whose environments look the same from outside."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from data_gen.spec import GameSpec
from data_gen.twin import Twin
from evaluation.gap_report.dreamers import is_twin
from neural_env.registration import is_dream
from world_model.bundle import load_world
from world_model.hub import resolve_world
from world_model.starts import Starts


class UnfitPair(ValueError):
    """Two environments that cannot be compared; the message says why."""


@dataclass(frozen=True)
class Pair:
    """What is compared."""

    dream: EnvSpec
    real: EnvSpec
    game: str  # its name, for zoo, eyes and sight
    num_actions: int
    spec: GameSpec | None  # where the real one is a twin
    starts: Starts | None = None  # of a world that is no dream's, for a twin in the dream's place


def pair(dream: str, real: str, world: str | None) -> Pair:
    """The two ids, found to have the same spaces; both are made once for that."""
    dream_spec, real_spec = (copy.deepcopy(gymnasium.spec(each)) for each in (dream, real))
    if world is not None and is_dream(dream_spec):
        dream_spec.kwargs["world"] = world
    one, other = (gymnasium.make(each, disable_env_checker=True) for each in (dream_spec, real_spec))
    try:
        for name in ("observation_space", "action_space"):
            ours, theirs = getattr(one, name), getattr(other, name)
            if ours != theirs:
                raise UnfitPair(f"{name} of {dream} is {ours}, that of {real} is {theirs}; expected the same")
        if not isinstance(one.action_space, gymnasium.spaces.Discrete):
            raise UnfitPair(f"{dream} has actions {one.action_space}; expected Discrete")
        spec = getattr(other.unwrapped, "game", None) if is_twin(real_spec) else None
        name = spec.name if spec is not None else real_spec.name
        starts = None if world is None or is_dream(dream_spec) else _starts(world, one)
        return Pair(dream_spec, real_spec, name, int(one.action_space.n), spec, starts)
    finally:
        one.close()
        other.close()


def _starts(world: str, env: gymnasium.Env[Any, Any]) -> Starts:
    """Those of a world, for a twin that is judged as that world's dream would be."""
    twin = env.unwrapped
    if not isinstance(twin, Twin):
        raise UnfitPair(f"--world goes with a dream's id, or a twin's; {env.spec and env.spec.id} takes none")
    loaded = load_world(resolve_world(world))
    if loaded.world.config.game.name != twin.game.name:
        raise UnfitPair(f"{world} is a world of {loaded.world.config.game.name}; expected one of {twin.game.name}")
    return loaded.starts
