"""Any Gymnasium environment with image observations and discrete actions, as a game of one's own."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from data_gen.emulator import Emulator
from data_gen.policy import Frames
from data_gen.spec import GameSpec, InvalidSpec


class GymEmulator(Emulator):
    """A Gymnasium id; one tick is one step of it, and `emulator_kwargs` go to `gymnasium.make`.

    A game that the environment terminates or truncates has ended. The time limit that the twin reports as truncation
    is `GameSpec.max_steps`: leave the environment's own longer than that, or a mere timeout counts as an end.
    """

    def __init__(self, spec: GameSpec) -> None:
        self._env: gymnasium.Env[Any, Any] = gymnasium.make(spec.emulator_id, **spec.emulator_kwargs)
        try:
            _require_image(spec, self._env.observation_space)
            self._first_action = _first_action(spec, self._env.action_space)
        except InvalidSpec:
            self._env.close()
            raise
        height, width = self._env.observation_space.shape[:2]  # type: ignore[index]
        self._screen: Frames = np.zeros((height, width, 3), np.uint8)

    def reset(self, seed: int) -> None:
        self._look(self._env.reset(seed=seed)[0])

    def tick(self, action: int) -> tuple[float, bool]:
        picture, reward, terminated, truncated, _ = self._env.step(self._first_action + action)
        self._look(picture)
        return float(reward), bool(terminated or truncated)

    def screen(self) -> Frames:
        return self._screen

    def info(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self._env.close()

    def _look(self, picture: Any) -> None:
        self._screen[:] = picture if np.ndim(picture) == 3 else np.asarray(picture)[..., None]


def _require_image(spec: GameSpec, space: gymnasium.Space[Any]) -> None:
    shape = space.shape or ()
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    if not (isinstance(space, gymnasium.spaces.Box) and space.dtype == np.uint8 and is_image):
        raise InvalidSpec(
            f"GameSpec.emulator_id: {spec.emulator_id!r} has observations {space}; "
            "expected uint8 images [H, W], [H, W, 1] or [H, W, 3]. A wrapper can make them so."
        )


def _first_action(spec: GameSpec, space: gymnasium.Space[Any]) -> int:
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise InvalidSpec(f"GameSpec.emulator_id: {spec.emulator_id!r} has actions {space}; expected Discrete")
    if space.n != spec.num_actions:
        raise InvalidSpec(
            f"GameSpec.action_meanings names {spec.num_actions} actions; {spec.emulator_id!r} has {int(space.n)}"
        )
    return int(space.start)
