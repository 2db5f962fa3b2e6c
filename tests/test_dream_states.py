"""Going back: clones, copies, pickles, branches, and beginnings of one's own; each goes on bit for bit.

ALE and Gymnasium promise only that a copy is a fresh environment. Tree search and counterfactuals need the moment.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
import torch
from safetensors.torch import load, save

import neural_env  # noqa: F401  (registers the ids)
from neural_env.dream_env import DreamEnv
from neural_env.dream_options import InvalidOption
from neural_env.dream_state import DreamState, InvalidState
from neural_env.dream_vector import DreamVectorEnv
from toy_dream import TOY, actions_of, assert_same, toy_world

LANES = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_world(tmp_path_factory.mktemp("dream") / "toy"))


def played(env: Any, actions: Any) -> list[Any]:
    """All that comes out, through ends of episodes."""
    outcomes: list[Any] = []
    for action in actions:
        outcomes.append(env.step(action))
        if outcomes[-1][2] is True:
            outcomes.append(env.reset())
    return outcomes


# ---- clone and restore ---------------------------------------------------------------------------------------------


def test_a_restored_moment_goes_on_as_it_did(world: str) -> None:
    """From many moments of an episode, through its end and the next ones."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=0)
        for turn in range(6):
            state = env.clone_state()
            expected = played(env, actions_of(20, seed=turn))
            env.restore_state(state)
            assert env.clone_state().to_bytes() == state.to_bytes()
            assert_same(played(env, actions_of(20, seed=turn)), expected)
            env.restore_state(state)
            played(env, actions_of(5, seed=100 + turn))


@pytest.mark.slow
def test_a_restored_moment_goes_on_as_it_did_for_200_steps(world: str) -> None:
    """The same at 20 moments for longer."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=0)
        for turn in range(20):
            state = env.clone_state()
            expected = played(env, actions_of(200, seed=turn))
            env.restore_state(state)
            assert_same(played(env, actions_of(200, seed=turn)), expected)


def test_without_its_randomness_a_restored_moment_goes_on_otherwise(world: str) -> None:
    """The negative control: else the test above would prove nothing about the generators."""
    with closing(DreamEnv(world, reward="mode")) as env:
        env.reset(seed=0)
        state = env.clone_state(include_rng=False)
        assert state.random is None
        first = [env.step(1)[0] for _ in range(4)]
        env.restore_state(state)
        second = [env.step(1)[0] for _ in range(4)]
    assert not np.array_equal(first, second)


def test_a_state_outlives_what_comes_after_it(world: str) -> None:
    """The memory is a ring that is written in place: a clone that shared it would be overwritten."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=0)
        state = env.clone_state()
        before = state.to_bytes()
        played(env, actions_of(20))
        env.restore_state(state)
        played(env, actions_of(20, seed=1))
        assert state.to_bytes() == before


def test_a_state_goes_from_one_environment_to_another(world: str) -> None:
    """Single or vector, of the same world: the moment is the same, and so is what follows."""
    with (
        closing(DreamEnv(world)) as one,
        closing(DreamEnv(world)) as other,
        closing(DreamVectorEnv(LANES, world)) as many,
    ):
        one.reset(seed=0)
        one.step(1)
        state = one.clone_state()
        other.restore_state(state)
        many.reset(seed=9)
        many.restore_state(state, lanes=[1])
        frame = one.step(2)[0]
        np.testing.assert_array_equal(other.step(2)[0], frame)
        np.testing.assert_array_equal(many.step([0, 2, 0])[0][1], frame)


def test_lanes_are_restored_one_by_one_or_together(world: str) -> None:
    """A search restores the lane that it explores; the others go on."""
    with closing(DreamVectorEnv(LANES, world)) as envs:
        envs.reset(seed=0)
        whole, middle = envs.clone_state(), envs.clone_state([1])
        expected = envs.step([1, 1, 1])
        envs.restore_state(whole)
        assert_same(envs.step([1, 1, 1]), expected)
        calm = envs.clone_state([0, 2]).to_bytes()
        envs.restore_state(middle, [1])
        assert envs.clone_state([0, 2]).to_bytes() == calm
        assert envs.clone_state([1]).to_bytes() == middle.to_bytes()
        envs.restore_state(middle)
        frames = envs.step([1, 1, 1])[0]
        np.testing.assert_array_equal(frames[0], frames[2], "one moment in every lane, with one randomness")
        with pytest.raises(InvalidOption, match=r"lanes are \[3\]; expected some of 0 to 2"):
            envs.clone_state([3])


# ---- branches ------------------------------------------------------------------------------------------------------


def test_branches_differ_by_their_actions_alone(world: str) -> None:
    """Counterfactuals: the same noise, another action; and the environment itself does not notice."""
    kwargs = {"repeat_action_probability": 0.0}  # else the action may not get through
    with closing(DreamEnv(world, **kwargs)) as env, closing(DreamEnv(world, **kwargs)) as calm:
        env.reset(seed=0)
        calm.reset(seed=0)
        with closing(env.branch(LANES)) as branches:
            assert isinstance(branches, DreamVectorEnv)
            first = branches.step([0, 2, 0])[0]
            np.testing.assert_array_equal(first[0], first[2])
            assert not np.array_equal(first[0], first[1])
            outcome = env.step(2)
            np.testing.assert_array_equal(first[1], outcome[0])
            assert_same(outcome, calm.step(2))


def test_branches_may_draw_randomness_of_their_own(world: str) -> None:
    """Then they differ even by equal actions, in the same way each time."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=0)
        futures = []
        for _ in range(2):
            with closing(env.branch(LANES, same_random=False)) as branches:
                futures.append(np.stack([branches.step([1, 1, 1])[0] for _ in range(3)]))
    np.testing.assert_array_equal(futures[0], futures[1])
    assert not np.array_equal(futures[0][:, 0], futures[0][:, 1])


# ---- copies --------------------------------------------------------------------------------------------------------

COPIES: list[Callable[[Any], Any]] = [
    copy.deepcopy,
    lambda env: pickle.loads(pickle.dumps(env)),
    lambda env: pickle.loads(cloudpickle.dumps(env)),
]


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle", "cloudpickle"])
def test_a_copy_in_mid_episode_goes_on_as_the_original(world: str, copied: Callable[[Any], Any]) -> None:
    """Raw, made by `gym.make` with its wrappers, and vectors; also after the end of an episode."""
    raw, made = DreamEnv(world), gymnasium.make("Dream/World-v0", world=world)
    many = gymnasium.make_vec("Dream/World-v0", LANES, world=world)
    with closing(raw), closing(made), closing(many):
        for env, actions in ((raw, actions_of(25)), (made, actions_of(25)), (many, actions_of(25, LANES))):
            env.reset(seed=3)
            env.step(actions[0])
            with closing(copied(env)) as twin:
                assert twin.spec == env.spec
                assert_same(played(env, actions), played(twin, actions))


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle", "cloudpickle"])
def test_a_copy_shares_the_weights_and_nothing_else(world: str, copied: Callable[[Any], Any]) -> None:
    """A hundred copies for a search must not be a hundred networks; nor may one step another."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=3)
        with closing(copied(env)) as twin:
            assert twin.dream.shared.world is env.dream.shared.world
            before = env.clone_state().to_bytes()
            played(twin, actions_of(8))
            assert env.clone_state().to_bytes() == before
            assert twin.np_random is twin._lanes.generators[0]


def test_a_copy_before_the_first_reset_is_a_fresh_environment(world: str) -> None:
    """What vectorisers and job queues send around."""
    with closing(DreamEnv(world)) as env, closing(pickle.loads(pickle.dumps(env))) as twin:
        assert_same(env.reset(seed=7), twin.reset(seed=7))
        assert_same(env.step(1), twin.step(1))


def test_a_pickle_goes_on_in_another_process(world: str, tmp_path: Path) -> None:
    """It holds the moment and the place of the world: not the weights."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=3)
        env.step(2)
        content = pickle.dumps(env)
        expected = env.step(1)[0].tobytes()
    weights = (Path(world) / "weights.safetensors").stat().st_size
    assert len(content) < 0.5 * weights + 60_000
    (tmp_path / "dream").write_bytes(content)
    script = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).step(1)[0].tobytes().hex())"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "dream")], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == expected.hex()


def test_a_pickle_does_not_go_on_in_another_world(tmp_path: Path) -> None:
    """A world that was trained anew in the same place would go on with another game's memory."""
    folder = toy_world(tmp_path / "toy")
    env = DreamEnv(folder)
    env.reset(seed=0)
    content = pickle.dumps(env)
    (tmp_path / "elsewhere").mkdir()
    folder.rename(tmp_path / "elsewhere" / "toy")
    toy_world(folder, seed=1)
    from neural_env import shared_world

    shared_world._recent.clear()
    del env
    with pytest.raises(ValueError, match="not the one that this was pickled with"):
        pickle.loads(content)


# ---- states as bytes -----------------------------------------------------------------------------------------------


def test_a_state_is_the_same_after_a_way_through_bytes(world: str) -> None:
    """For files and for other programs; equal states give equal bytes."""
    with closing(DreamVectorEnv(LANES, world)) as envs:
        envs.reset(seed=0)
        for include_rng in (True, False):
            state = envs.clone_state(include_rng=include_rng)
            content = state.to_bytes()
            back = DreamState.from_bytes(content)
            assert back.to_bytes() == content
            assert envs.clone_state(include_rng=include_rng).to_bytes() == content
        expected = envs.step([1, 2, 0])
        envs.restore_state(DreamState.from_bytes(envs.clone_state().to_bytes()))
        back = DreamState.from_bytes(pickle.loads(pickle.dumps(state)).to_bytes())
        assert back.to_bytes() == state.to_bytes()
        assert_same(expected[0].shape, (LANES, *TOY.frame_size, 3))


def test_what_is_no_state_is_refused(world: str, tmp_path: Path) -> None:
    """A state from a file is somebody's: it is checked before anything changes, and never unpickled."""
    with closing(DreamEnv(world)) as env, closing(DreamEnv(toy_world(tmp_path / "other", seed=1))) as other:
        env.reset(seed=0)
        state = env.clone_state()
        content = state.to_bytes()
        for damaged in (b"", content[:100], pickle.dumps(state), b"x" * 1000):
            with pytest.raises(InvalidState, match="no state of a dream"):
                DreamState.from_bytes(damaged)
        other.reset(seed=0)
        with pytest.raises(InvalidState, match="is of world"):
            other.restore_state(state)
        with pytest.raises(InvalidState, match="2 lanes; expected 1"):
            env.restore_state(state.select([0, 0]))
        before = env.clone_state().to_bytes()
        shorter = dataclasses.replace(state.simulator, latents_BND=state.simulator.latents_BND[:, :-1])
        unpayable = dataclasses.replace(state.simulator, paid_BP=state.simulator.paid_BP + 9)
        memory = dataclasses.replace(state.simulator.memory, ticks_BSK=state.simulator.memory.ticks_BSK + 9)
        unplayable = dataclasses.replace(state.simulator, memory=memory)
        for changes, named in (
            ({"simulator": shorter}, "latents of the state has shape"),
            ({"simulator": unplayable}, "remembers ticks with other actions"),
            ({"simulator": unpayable}, "expected 0 to 3, the classes of rewards"),
            ({"executed": np.array([9])}, "those are no actions of this game"),
            ({"executed": np.array([[0]])}, r"executed of the state has shape \[1, 1\]; expected \[1\]"),
            ({"frames": np.zeros((1, 8, 8, 3), np.uint8)}, "frames of the state has shape"),
            ({"random": ({"bit_generator": "PCG64", "state": 3},)}, "generators of the state cannot be restored"),
            ({"random": ()}, "generators of the state cannot be restored: there are 0 for 1 lanes"),
        ):
            with pytest.raises(InvalidState, match=named):
                env.restore_state(dataclasses.replace(state, **changes))  # type: ignore[arg-type]
            assert env.clone_state().to_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("latents"),
        lambda tensors: tensors.pop("frames"),
        lambda tensors: tensors.pop("about"),
        lambda tensors: tensors.update(more=torch.zeros(1)),
        lambda tensors: tensors.update(about=torch.zeros(9, dtype=torch.uint8)),
        lambda tensors: tensors.update(generators=torch.zeros(1, 7, dtype=torch.uint8)),
        lambda tensors: tensors.update(generators=torch.zeros(1, 5056, dtype=torch.uint8)),
    ],
)
def test_bytes_that_lack_or_hold_anything_else_are_refused(world: str, change: Callable[[Any], Any]) -> None:
    """Part by part, from somebody who knows the format."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=0)
        tensors = load(env.clone_state().to_bytes())
    assert isinstance(DreamState.from_bytes(save(tensors)), DreamState)
    change(tensors)
    with pytest.raises(InvalidState, match="no state of a dream"):
        DreamState.from_bytes(save(tensors))


# ---- beginnings of one's own ---------------------------------------------------------------------------------------


def test_an_episode_can_begin_after_real_frames_of_ones_own(world: str) -> None:
    """A dream of a moment that the user has seen: the frames and ticks of a start give that start."""
    with closing(DreamEnv(world)) as env:
        for start in env.starts:
            expected, _ = env.reset(seed=0, options={"start": env.starts.index(start)})
            own = {"frames": start.frames, "executed": start.executed}
            frame, info = env.reset(seed=0, options=own)
            np.testing.assert_array_equal(frame, expected)
            assert info["start_index"] == -1
            assert env.step(1)[0] in env.observation_space


def test_an_episode_can_begin_at_a_saved_moment(world: str) -> None:
    """A new episode there, with the randomness of its own seed: unlike a restored moment, it is not bound to repeat."""
    with closing(DreamEnv(world, max_episode_steps=5, reward="mode")) as env:
        env.reset(seed=0)
        for _ in range(3):
            moment = env.step(1)[0]
        state = env.clone_state()
        futures = []
        for seed in (1, 1, 2):
            frame, _ = env.reset(seed=seed, options={"state": state})
            np.testing.assert_array_equal(frame, moment)
            outcomes = [env.step(1) for _ in range(5)]
            assert [outcome[3] for outcome in outcomes] == [False] * 4 + [True], "its steps are counted anew"
            futures.append(np.stack([outcome[0] for outcome in outcomes]))
    np.testing.assert_array_equal(futures[0], futures[1])
    assert not np.array_equal(futures[0], futures[2])


def test_lanes_can_begin_at_saved_moments(world: str) -> None:
    """Each at its own, or all at one."""
    with closing(DreamVectorEnv(LANES, world)) as envs, closing(DreamEnv(world)) as single:
        envs.reset(seed=0)
        moments = envs.step([0, 1, 2])[0]
        state = envs.clone_state()
        if state.over.any():
            pytest.fail("choose a seed whose first step ends no episode")
        frames, _ = envs.reset(seed=4, options={"state": state})
        np.testing.assert_array_equal(frames, moments)
        single.reset(seed=5, options={"state": state.select([1])})
        np.testing.assert_array_equal(envs.step([1, 1, 1])[0][1], single.step(1)[0])
        frames, _ = envs.reset(options={"state": state.select([2])})
        np.testing.assert_array_equal(frames, np.stack([moments[2]] * LANES))


def test_no_episode_begins_after_its_end(world: str) -> None:
    """What a dream shows after the end was never learned."""
    with closing(DreamVectorEnv(LANES, world)) as envs:
        envs.reset(seed=0)
        while not envs.step([1, 1, 1])[2].any():
            pass
        with pytest.raises(InvalidState, match="an episode that is over"):
            envs.reset(options={"state": envs.clone_state()})
