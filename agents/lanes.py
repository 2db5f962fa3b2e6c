"""The lanes that an agent learns in, as SB3 wants them: gray, their returns watched; real or dreamt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecEnvWrapper, VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from agents.view import AgentView, View
from neural_env.sb3 import DreamVecEnv

MakeEnv = Callable[[int], gymnasium.Env[Any, Any]]  # of one lane


def single_lanes(make: MakeEnv, lanes: int, view: View, processes: bool) -> VecEnv:
    """An environment a lane, all in this process or each in its own."""

    def make_lane(lane: int) -> gymnasium.Env[Any, Any]:
        return Monitor(AgentView(make(lane), view))

    makers = [partial(make_lane, lane) for lane in range(lanes)]
    return SubprocVecEnv(makers, start_method="forkserver") if processes else DummyVecEnv(makers)  # type: ignore[arg-type]


def dreamt_lanes(env: str, lanes: int, view: View, options: dict[str, Any]) -> VecEnv:
    """The lanes of one dream."""
    return VecMonitor(GrayLanes(DreamVecEnv(env, lanes, **options), view))


class GrayLanes(VecEnvWrapper):
    """Lanes of colour frames [H, W, 3] as single gray ones [1, size, size]: `AgentView`, for all lanes at once."""

    def __init__(self, envs: VecEnv, view: View) -> None:
        self._view = view
        super().__init__(envs, gymnasium.spaces.Box(0, 255, (1, view.size, view.size), np.uint8))

    def reset(self) -> npt.NDArray[np.uint8]:
        """Begin anew in every lane."""
        return self._gray(self.venv.reset())

    def step_wait(self) -> VecEnvStepReturn:
        """One step in every lane."""
        frames, rewards, over, infos = self.venv.step_wait()
        for lane in np.flatnonzero(over):
            infos[lane]["terminal_observation"] = self._view.gray(infos[lane]["terminal_observation"])[None]
        return self._gray(frames), rewards, over, infos

    def _gray(self, frames: Any) -> npt.NDArray[np.uint8]:
        return np.stack([self._view.gray(frame) for frame in frames])[:, None]
