"""Whoever already trains on Gymnasium environments trains in a dream: Stable-Baselines3, worker processes, wrappers."""

from __future__ import annotations

import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.wrappers import FrameStackObservation, RecordEpisodeStatistics
from gymnasium.wrappers.vector import RecordEpisodeStatistics as RecordVectorStatistics
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan, VecFrameStack, VecMonitor

import neural_env  # noqa: F401  (registers the ids)
from data_gen.actions import InvalidAction
from neural_env.dream_env import DreamEnv
from neural_env.dream_options import InvalidOption
from neural_env.sb3 import DreamVecEnv
from toy_dream import actions_of, assert_same, toy_world

ID = "Dream/World-v0"
LANES = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_world(tmp_path_factory.mktemp("dream") / "toy"))


# ---- Stable-Baselines3 ---------------------------------------------------------------------------------------------


def test_it_is_sb3s_own_vector_of_single_dreams(world: str) -> None:
    """Frames, rewards, dones, `terminal_observation`, `TimeLimit.truncated`: `DummyVecEnv` says what SB3 expects."""
    ours = DreamVecEnv(ID, LANES, world=world, max_episode_steps=12)
    theirs = DummyVecEnv([lambda: DreamEnv(world, max_episode_steps=12)] * LANES)
    with closing(ours), closing(theirs):
        assert ours.observation_space == theirs.observation_space
        assert ours.action_space == theirs.action_space
        assert ours.seed(4) == theirs.seed(4)
        ours.set_options({"start": "anywhere"})
        theirs.set_options({"start": "anywhere"})
        assert_same(ours.reset(), theirs.reset())
        assert_same(ours.reset_infos, theirs.reset_infos)
        seen = {False: 0, True: 0}
        for actions in actions_of(50, LANES):
            outcome = ours.step(actions)
            assert_same(outcome, theirs.step(actions))
            assert_same(ours.reset_infos, theirs.reset_infos)
            for info in outcome[3]:
                if "terminal_observation" in info:
                    seen[info["TimeLimit.truncated"]] += 1
        assert min(seen.values()) > 1, "ends of both kinds were compared"
        np.testing.assert_array_equal(ours.reset(), theirs.reset())


def test_options_may_differ_from_lane_to_lane(world: str) -> None:
    """SB3 hands out one dictionary for each environment; they count for one reset."""
    with closing(DreamVecEnv(ID, LANES, world=world)) as envs:
        envs.set_options([{"start": 3}, {"start": 0}, {}])
        envs.reset()
        assert [info["start_index"] for info in envs.reset_infos][:2] == [3, 0]
        envs.set_options([{"strat": 3}, {}, {}])
        with pytest.raises(InvalidOption, match="no option 'strat'"):
            envs.reset()


def test_a_lane_can_be_spoken_to_as_a_single_environment(world: str) -> None:
    """`get_attr` and `env_method`, on which SB3's wrappers and callbacks stand."""
    with closing(DreamVecEnv(ID, LANES, world=world, render_mode="rgb_array")) as envs:
        envs.seed(0)
        envs.reset()
        assert envs.get_attr("render_mode") == ["rgb_array"] * LANES
        assert envs.get_attr("game", indices=[0, 2])[1].name == "Counting"
        assert envs.has_attr("reward_values")
        assert not envs.has_attr("ale")
        assert envs.env_method("get_action_meanings", indices=1) == [["LEFT", "MIDDLE", "RIGHT"]]
        assert envs.env_is_wrapped(gymnasium.Wrapper) == [False] * LANES
        (state,) = envs.env_method("clone_state", indices=1)
        expected = envs.step(np.array([0, 1, 2]))[0][1]
        envs.env_method("restore_state", state, indices=1)
        np.testing.assert_array_equal(envs.step(np.array([0, 1, 2]))[0][1], expected)
        assert (
            len({generator.bit_generator.state["state"]["state"] for generator in envs.get_attr("np_random")}) == LANES
        )
        picture = envs.render()
        assert picture is not None
        assert picture.shape[0] > 300, "one picture of all lanes"
        assert_same(envs.env_method("render")[1], list(envs.get_images())[1])
        with pytest.raises(AttributeError, match="share render_mode"):
            envs.set_attr("render_mode", None, indices=[0])
        envs.set_attr("render_mode", None)
        assert envs.get_attr("render_mode") == [None] * LANES
        with pytest.raises(InvalidAction):
            envs.step(np.array([0, 1, 9]))


def test_only_dreams_are_taken(world: str) -> None:
    """For everything else SB3 has `make_vec_env`."""
    with pytest.raises((InvalidOption, TypeError), match=r"no dream|autoreset_mode"):
        DreamVecEnv("Real/Pong-v0", 2)
    with pytest.raises(InvalidOption, match="did you mean 'temperature'"):
        DreamVecEnv(ID, 2, world=world, temprature=1.0)


def test_ppo_and_dqn_learn_in_a_dream_and_act(world: str) -> None:
    """The two algorithms that everybody tries first, as their documentation says, with the usual wrappers."""
    lanes = VecFrameStack(VecMonitor(VecCheckNan(DreamVecEnv(ID, 4, world=world), raise_exception=True)), 2)
    with closing(lanes):
        ppo = PPO("CnnPolicy", lanes, n_steps=8, batch_size=16, n_epochs=1, seed=0).learn(64)
        weights = [weight.detach().clone() for weight in ppo.policy.parameters()]
        ppo.learn(32, reset_num_timesteps=False)
        assert any((old != new).any() for old, new in zip(weights, ppo.policy.parameters(), strict=True))
        assert ppo.ep_info_buffer, "VecMonitor saw whole episodes"
    with closing(gymnasium.make(ID, world=world)) as env:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=UserWarning)  # a machine whose memory another program needs
            dqn = DQN("CnnPolicy", env, buffer_size=64, learning_starts=8, batch_size=8, train_freq=8, seed=0)
        dqn.learn(24)
        frame, _ = env.reset(seed=0)
        action, _ = dqn.predict(frame, deterministic=True)
        env.step(action)


# ---- Gymnasium -----------------------------------------------------------------------------------------------------


def test_worker_processes_dream_what_this_one_does_and_hand_on_their_errors(world: str) -> None:
    """`AsyncVectorEnv` with its own processes is the vector of one process, and so are its errors.

    One peer's vector environment swallows what a worker raises, and returns the last `done` again.
    """
    make = [lambda: gymnasium.make("neural_env:Dream/World-v0", world=world)] * 2
    workers = AsyncVectorEnv(make, context="spawn")
    try:
        with closing(gymnasium.make_vec(ID, 2, world=world)) as ours:
            assert_same(workers.reset(seed=5), ours.reset(seed=5))
            for actions in actions_of(12, 2):
                assert_same(workers.step(actions), ours.step(actions))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=UserWarning)  # Gymnasium's own words about the worker
            with pytest.raises(InvalidAction, match="expected an integer from 0 to 2"):
                workers.step(np.array([9, 9]))
    finally:
        workers.close(terminate=True)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_episode_statistics_count_what_was_played(world: str, mode: AutoresetMode) -> None:
    """Returns and lengths as Gymnasium's wrappers count them, against our own sums."""
    envs = gymnasium.make_vec(ID, LANES, world=world, autoreset_mode=mode)
    with closing(RecordVectorStatistics(envs)) as recorded:
        recorded.reset(seed=0)
        returns, lengths, reset_row = np.zeros(LANES), np.zeros(LANES, int), np.zeros(LANES, bool)
        seen = 0
        for actions in actions_of(40, LANES):
            _, rewards, terminations, _, infos = recorded.step(actions)
            returns, lengths = returns + rewards, lengths + ~reset_row
            for lane in np.flatnonzero(terminations):
                seen += 1
                assert infos["episode"]["r"][lane] == pytest.approx(returns[lane])
                assert infos["episode"]["l"][lane] == lengths[lane]
                returns[lane], lengths[lane] = 0, 0
            reset_row = terminations & (mode is AutoresetMode.NEXT_STEP)
        assert seen > 3


def test_wrappers_see_a_usual_environment(world: str) -> None:
    """Newest frame last, at the reset and at every step: a peer turns the order round after the first frame."""
    env = FrameStackObservation(RecordEpisodeStatistics(gymnasium.make(ID, world=world)), 3)
    with closing(env), closing(DreamEnv(world)) as raw:
        stack, _ = env.reset(seed=0)
        frame, _ = raw.reset(seed=0)
        np.testing.assert_array_equal(stack[-1], frame)
        stack, *_ = env.step(1)
        np.testing.assert_array_equal(stack[-2], frame)
        np.testing.assert_array_equal(stack[-1], raw.step(1)[0])


def test_gymnasiums_play_can_read_its_keys(world: str) -> None:
    """`gymnasium.utils.play` wants held keys as tuples, whole frames a second, and pictures."""
    with closing(gymnasium.make(ID, world=world, render_mode="rgb_array")) as env:
        keys: dict[Any, int] = env.unwrapped.get_keys_to_action()  # type: ignore[attr-defined]
        assert all(isinstance(held, tuple) for held in keys)
        assert set(keys.values()) == set(range(env.action_space.n))  # type: ignore[attr-defined]
        assert type(env.metadata["render_fps"]) is int
        env.reset(seed=0)
        assert isinstance(env.render(), np.ndarray)


def test_a_path_does_as_well_as_a_string(world: str) -> None:
    """People build paths."""
    with closing(gymnasium.make(ID, world=Path(world))) as env:
        env.reset(seed=0)
