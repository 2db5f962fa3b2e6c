"""The lanes that an agent learns in, as SB3 wants them: gray, stacked, their returns watched; real, dreamt or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecEnvWrapper, VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

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


class LanesSideBySide(VecEnv):
    """Several groups of lanes with equal spaces as one: the first group's lanes first."""

    def __init__(self, groups: Sequence[VecEnv]) -> None:
        self._groups = list(groups)
        spaces = {(repr(group.observation_space), repr(group.action_space)) for group in groups}
        if len(spaces) > 1:
            raise ValueError(
                f"lanes side by side must see and do the same; these have {' and '.join(map(str, spaces))}"
            )
        self._ends = np.cumsum([group.num_envs for group in groups])
        super().__init__(int(self._ends[-1]), groups[0].observation_space, groups[0].action_space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Lane i is seeded with seed + i."""
        firsts = [0, *self._ends[:-1].tolist()]
        return [
            each
            for first, group in zip(firsts, self._groups, strict=True)
            for each in group.seed(None if seed is None else seed + first)
        ]

    def reset(self) -> npt.NDArray[Any]:
        """Begin anew in every lane."""
        frames = [group.reset() for group in self._groups]
        self.reset_infos = [info for group in self._groups for info in group.reset_infos]
        return np.concatenate(frames)  # type: ignore[arg-type]

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Hand each group its actions."""
        for group, own in zip(self._groups, np.split(actions, self._ends[:-1]), strict=True):
            group.step_async(own)

    def step_wait(self) -> VecEnvStepReturn:
        """What the groups gave."""
        frames, rewards, over, infos = zip(*(group.step_wait() for group in self._groups), strict=True)
        self.reset_infos = [info for group in self._groups for info in group.reset_infos]
        return (
            np.concatenate(frames),
            np.concatenate(rewards),
            np.concatenate(over),
            [i for part in infos for i in part],
        )

    def close(self) -> None:
        """Close all of them."""
        for group in self._groups:
            group.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of some lanes."""
        return [group.get_attr(attr_name, lane)[0] for group, lane in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of some lanes, or of all."""
        for group, lanes in [(group, None) for group in self._groups] if indices is None else self._chosen(indices):
            group.set_attr(attr_name, value, lanes)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method of some lanes."""
        chosen = self._chosen(indices)
        return [group.env_method(method_name, *args, indices=lane, **kwargs)[0] for group, lane in chosen]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """Whether some lanes are wrapped in it."""
        return [group.env_is_wrapped(wrapper_class, lane)[0] for group, lane in self._chosen(indices)]

    def _chosen(self, indices: VecEnvIndices) -> list[tuple[VecEnv, int]]:
        """For each lane its group and its place there."""
        found = []
        for index in self._get_indices(indices):
            place = int(np.searchsorted(self._ends, index, side="right"))
            found.append((self._groups[place], index - (int(self._ends[place - 1]) if place else 0)))
        return found
