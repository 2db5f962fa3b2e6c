"""TorchRL and Tianshou take a dream as they take any environment. They come with the `clients` extra."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import neural_env  # noqa: F401  (registers the ids)
from toy_dream import toy_world

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]  # their warnings are their own business


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_world(tmp_path_factory.mktemp("world") / "toy"))


def test_torchrl_finds_nothing_wrong_and_sees_the_same_episode(world: str) -> None:
    from torchrl.envs import GymWrapper
    from torchrl.envs.utils import check_env_specs

    env = GymWrapper(gymnasium.make("Dream/World-v0", world=world))
    check_env_specs(env)
    env.set_seed(3)
    run = env.rollout(15)
    own = gymnasium.make("Dream/World-v0", world=world)
    own.reset(seed=3)  # which is what set_seed does; a rollout begins with a reset of its own
    frame, _ = own.reset()
    for step in range(len(run)):
        assert np.array_equal(run["pixels"][step].numpy(), frame)
        frame, reward, *_ = own.step(int(run["action"][step].argmax()))
        assert float(run["next", "reward"][step]) == reward


@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
def test_torchrl_rolls_many_lanes_through_episode_ends(world: str, mode: str) -> None:
    from torchrl.envs import GymWrapper

    env = GymWrapper(gymnasium.make_vec("Dream/World-v0", num_envs=3, world=world, autoreset_mode=mode))
    run = env.rollout(60, break_when_any_done=False)
    assert run["next", "reward"].shape == (3, 60, 1)
    assert int(run["next", "done"].sum()) > 0


def test_tianshou_collects_whole_episodes(world: str) -> None:
    from tianshou.algorithm.algorithm_base import Policy
    from tianshou.data import Batch, Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv

    def make() -> gymnasium.Env[Any, Any]:
        return gymnasium.make("Dream/World-v0", world=world)

    envs = DummyVectorEnv([make, make])

    class Holds(Policy):  # type: ignore[misc]
        def forward(self, batch: Any, state: Any = None, **_: Any) -> Any:
            return Batch(act=np.ones(len(batch.obs), np.int64), state=state)

    policy = Holds(action_space=make().action_space, observation_space=make().observation_space)
    buffer = VectorReplayBuffer(400, 2)
    collector = Collector(policy, envs, buffer)
    collector.reset()
    collected = collector.collect(n_episode=4)
    assert collected.n_collected_episodes == 4
    assert int(np.asarray(buffer.done).sum()) == 4
