"""Several groups of lanes as one: dreamt and real ones, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn


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
