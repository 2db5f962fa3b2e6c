"""ALE's own vector environment: the fastest way there is to step an Atari game, and so what a dream is held against."""

from __future__ import annotations

from typing import Any

from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import VectorEnv

from data_gen.spec import GameSpec, InvalidSpec


def atari_vector(spec: GameSpec, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """So many games of an ALE game with as many ticks a step, in 84x84 gray and C++ threads; without the twin's rules.

    Example:
        >>> from data_gen.games import game
        >>> envs = atari_vector(game("Pong"), num_envs=2)
        >>> envs.num_envs
        2
        >>> envs.close()
    """
    if spec.emulator != "ale":
        raise InvalidSpec(f"GameSpec.emulator is {spec.emulator!r}; only 'ale' has a vector environment of its own")
    return AtariVectorEnv(spec.emulator_id, num_envs=num_envs, frameskip=spec.ticks_per_step)
