"""The dream as Stable-Baselines3 wants it, which takes no vector environment of Gymnasium's.

from stable_baselines3 import PPO
from neural_env.sb3 import DreamVecEnv

PPO("CnnPolicy", DreamVecEnv("Dream/Pong-v0", 16)).learn(100_000)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn

from data_gen.picture import enlarge
from data_gen.policy import Frames
from neural_env.beginning import Beginning
from neural_env.dream_state import DreamState
from neural_env.dream_vector import DreamVectorEnv, dream_again
from neural_env.vector_arguments import seeded_generators

_INFO = ("executed", "start_index", "reward_probabilities", "termination_probability", "surprise")


class DreamVecEnv(VecEnv):
    """N lanes of a dream. A finished lane begins anew in the same step.

    Each lane's `info` is that of `DreamEnv`, with `TimeLimit.truncated`, and with `terminal_observation` where an
    episode is over. What SB3 asks of "each environment" it asks of a `Lane`.

    Args:
        env: the id of a dream.
        num_envs: how many lanes.
        options: as in `DreamEnv`.
    """

    def __init__(self, env: str, num_envs: int = 1, **options: Any) -> None:
        self.envs = envs = dream_again(env, num_envs, options)
        self.lanes = [Lane(envs, lane) for lane in range(num_envs)]
        self._actions: Any = None
        super().__init__(num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Frames:
        """Begin new episodes in all lanes, with the seeds and options that were set since the last time."""
        game, usual = self.envs.game, self.envs.dream.options.start
        beginnings = [Beginning.of(options, game, usual) for options in self._options]
        generators = seeded_generators(self._seeds, self.num_envs)
        frames, infos = self.envs.begin(range(self.num_envs), generators, beginnings)
        self.reset_infos = [{"start_index": int(index)} for index in infos["start_index"]]
        self._reset_seeds()
        self._reset_options()
        return frames

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Take the actions of the step that `step_wait` makes."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Dream one step in every lane."""
        frames, rewards, terminated, truncated, infos = self.envs.step(self._actions)
        ends = terminated | truncated
        each = [_lane_info(infos["final_info"] if over else infos, lane) for lane, over in enumerate(ends)]
        for lane, info in enumerate(each):
            info["TimeLimit.truncated"] = bool(truncated[lane])
            if ends[lane]:
                info["terminal_observation"] = infos["final_obs"][lane]
                self.reset_infos[lane] = {"start_index": int(infos["start_index"][lane])}
        return frames, rewards.astype(np.float32), ends, each

    def close(self) -> None:
        """Close all lanes."""
        self.envs.close()

    def get_images(self) -> Sequence[Frames | None]:
        """Each lane's frame, enlarged."""
        return self.envs.render() or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of some lanes."""
        return [getattr(lane, attr_name) for lane in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute, which all lanes share."""
        if len(list(self._chosen(indices))) < self.num_envs:
            raise AttributeError(f"the lanes of a dream share {attr_name}; set it for all of them")
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method of some lanes."""
        return [getattr(lane, method_name)(*args, **kwargs) for lane in self._chosen(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """No lane is wrapped in anything."""
        return [False for _ in self._chosen(indices)]

    def _chosen(self, indices: VecEnvIndices) -> Iterable[Lane]:
        return (self.lanes[index] for index in self._get_indices(indices))


class Lane:
    """One lane, as SB3 speaks to a single environment; what lanes share, it has from all of them."""

    def __init__(self, envs: DreamVectorEnv, lane: int) -> None:
        self.envs = envs
        self.lane = lane

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"a lane has no attribute {name!r}")
        return getattr(self.envs, name)

    @property
    def np_random(self) -> np.random.Generator:
        """The lane's generator."""
        return self.envs.np_random[self.lane]

    def clone_state(self, include_rng: bool = True) -> DreamState:
        """The moment that the lane is in."""
        return self.envs.clone_state([self.lane], include_rng)

    def restore_state(self, state: DreamState) -> None:
        """Go back to a moment."""
        self.envs.restore_state(state, [self.lane])

    def render(self) -> Frames:
        """The lane's frame, enlarged."""
        return enlarge(self.envs.frames[self.lane])


def _lane_info(infos: dict[str, Any], lane: int) -> dict[str, Any]:
    info = {name: infos[name][lane] for name in _INFO}
    return {name: value.item() if value.ndim == 0 else value.copy() for name, value in info.items()}
