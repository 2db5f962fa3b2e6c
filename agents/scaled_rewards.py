"""Lanes that pay in another unit: networks learn badly from returns in the hundreds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn


class ScaledRewards(VecEnvWrapper):
    """Every reward times `scale`; what monitors within have written into the infos stays in the game's own unit."""

    def __init__(self, lanes: VecEnv, scale: float) -> None:
        super().__init__(lanes)
        self._scale = scale

    def reset(self) -> npt.NDArray[Any]:
        """Begin anew in every lane."""
        return self.venv.reset()  # type: ignore[return-value]

    def step_wait(self) -> VecEnvStepReturn:
        """What the lanes gave, paid in the other unit."""
        frames, rewards, over, infos = self.venv.step_wait()
        return frames, np.float32(self._scale) * rewards, over, infos
