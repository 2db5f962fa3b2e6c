"""Many lanes of a dream as Gymnasium's vector environment: each is the single environment, whatever the others do.

The three autoreset modes are held against Gymnasium's own `SyncVectorEnv` around single dreams, which defines them.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import neural_env  # noqa: F401  (registers the ids)
from data_gen.actions import InvalidAction
from neural_env.dream_env import DreamEnv
from neural_env.dream_options import InvalidOption
from neural_env.dream_vector import DreamVectorEnv
from toy_dream import TOY, actions_of, assert_same, toy_world

MODES = list(AutoresetMode)
LANES = 3
STEPS = 40
EXPECTED = "lanes to reset; expected shape (3,) with at least one"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_world(tmp_path_factory.mktemp("dream") / "toy"))


def vector(world: str, lanes: int = LANES, **kwargs: Any) -> Any:
    envs = gymnasium.make_vec("Dream/World-v0", lanes, world=world, **kwargs)
    assert isinstance(envs, DreamVectorEnv)
    return envs


def reset_where(over: Any) -> dict[str, Any]:
    return {"reset_mask": over}


# ---- a lane is the single environment ------------------------------------------------------------------------------


def assert_lanes_are_single_dreams(world: str, counts: list[int], seed: int, steps: int, mode: AutoresetMode) -> int:
    """Play `counts` lanes and the single dreams of their seeds; bitwise equal. Returns how many episodes ended."""
    actions, ends = actions_of(steps, max(counts)), 0
    singles = {lane: DreamEnv(world) for lane in {0, *(count - 1 for count in counts)}}
    traces = {lane: played_alone(env, seed + lane, actions[:, lane], mode) for lane, env in singles.items()}
    for count in counts:
        with closing(vector(world, count, autoreset_mode=mode)) as envs:
            frames, _ = envs.reset(seed=seed)
            rows: list[list[Any]] = [[frames]]
            for turn in range(steps):
                *row, infos = envs.step(actions[turn, :count])
                ends += int((row[2] | row[3]).sum())
                rows.append([*row, infos["start_index"]])
            for lane in {0, count - 1}:
                assert_same([[part[lane] for part in row] for row in rows], traces[lane])
    return ends


def played_alone(env: DreamEnv, seed: int, actions: Any, mode: AutoresetMode) -> list[list[Any]]:
    """A single dream with resets where the mode has them, as rows of a vector of one."""
    frame, _ = env.reset(seed=seed)
    rows, over = [[frame]], False
    for action in actions:
        if over:
            frame, info = env.reset()
            reward, terminated, truncated = 0.0, False, False
        else:
            frame, reward, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        if over and mode is AutoresetMode.SAME_STEP:
            (frame, info), over = env.reset(), False
        numbers = np.float64(reward), np.bool_(terminated), np.bool_(truncated), np.int64(info["start_index"])
        rows.append([frame, *numbers])
    return rows


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_lane_is_bitwise_the_single_dream_of_its_seed(world: str, mode: AutoresetMode) -> None:
    """Through ends of episodes and for any number of lanes: what an agent learns does not hang on the batch size."""
    assert assert_lanes_are_single_dreams(world, [1, 2, 3, 8, 32], seed=7, steps=30, mode=mode) > 15


@pytest.mark.slow
def test_a_lane_is_bitwise_the_single_dream_of_its_seed_for_500_steps(world: str) -> None:
    """The same for longer."""
    counts = [1, 2, 3, 8, 32]
    assert assert_lanes_are_single_dreams(world, counts, seed=7, steps=500, mode=AutoresetMode.NEXT_STEP) > 200


@pytest.mark.parametrize(
    "options",
    [{"steps": 5}, {"steps": 1}, {"temperature": 0.0}, {"guidance": 2.0}, {"context_noise": 0.25}, {"reward": "mode"}],
)
def test_so_it_is_however_a_world_is_sampled(world: str, options: dict[str, Any]) -> None:
    """No way of sampling may leak from lane to lane; and each of them makes a difference."""
    actions, mode = actions_of(6, LANES), AutoresetMode.SAME_STEP
    with closing(DreamEnv(world, **options)) as single, closing(DreamEnv(world)) as usual:
        alone, otherwise = (played_alone(env, 4, actions[:, 1], mode) for env in (single, usual))
    with closing(vector(world, autoreset_mode=mode, **options)) as envs:
        rows = [[envs.reset(seed=3)[0][1]]]
        for turn in actions:
            *row, infos = envs.step(turn)
            rows.append([part[1] for part in [*row, infos["start_index"]]])
    assert_same(rows, alone)
    assert any((one[0] != other[0]).any() or one[1:] != other[1:] for one, other in zip(alone, otherwise, strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_it_is_gymnasiums_own_vector_of_single_dreams(world: str, mode: AutoresetMode) -> None:
    """Frames, rewards, flags and every info with its mask: `SyncVectorEnv` says what each mode means."""
    ours = vector(world, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: gymnasium.make("Dream/World-v0", world=world)] * LANES, autoreset_mode=mode)
    with closing(ours), closing(theirs):
        assert ours.observation_space == theirs.observation_space
        assert ours.action_space == theirs.action_space
        assert ours.single_observation_space == theirs.single_observation_space
        assert ours.single_action_space == theirs.single_action_space
        assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == mode
        assert_same(ours.reset(seed=11), theirs.reset(seed=11))
        assert ours.np_random_seed == theirs.np_random_seed == (11, 12, 13)
        ends = 0
        for actions in actions_of(STEPS, LANES):
            outcome = ours.step(actions)
            assert_same(outcome, theirs.step(actions))
            assert outcome[0] in ours.observation_space
            over = outcome[2] | outcome[3]
            ends += over.sum()
            if mode is AutoresetMode.DISABLED and over.any():
                assert_same(ours.reset(options=reset_where(over)), theirs.reset(options=reset_where(over)))
        assert ends > 3
        assert [each.bit_generator.state for each in ours.np_random] == [
            each.bit_generator.state for each in theirs.np_random
        ]


def test_spaces_are_the_single_dreams(world: str) -> None:
    """ALE's vector observations differ from its single ones; an agent then cannot be evaluated on one game."""
    with closing(vector(world)) as envs, closing(gymnasium.make("Dream/World-v0", world=world)) as env:
        assert envs.single_observation_space == env.observation_space
        assert envs.single_action_space == env.action_space
        assert envs.observation_space.shape == (LANES, *env.observation_space.shape)  # type: ignore[misc]
        assert envs.get_action_meanings() == env.unwrapped.get_action_meanings()  # type: ignore[attr-defined]
        assert envs.get_keys_to_action() == env.unwrapped.get_keys_to_action()  # type: ignore[attr-defined]


# ---- who is restarted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_only_finished_lanes_begin_anew(world: str, mode: AutoresetMode) -> None:
    """A peer restarted every lane and flagged only the finished ones: two episodes, spliced in the rollout buffer.

    Lane 0 has another seed in each vector, so that it ends at other times; its neighbours must not notice.
    """
    with closing(vector(world, autoreset_mode=mode)) as envs, closing(vector(world, autoreset_mode=mode)) as others:
        envs.reset(seed=[5, 6, 7])
        others.reset(seed=[50, 6, 7])
        ended_apart = 0
        for actions in actions_of(STEPS, LANES):
            left, right = envs.step(actions), others.step(actions)
            assert_same([part[1:] for part in left[:4]], [part[1:] for part in right[:4]])
            ended_apart += left[2][0] != right[2][0]
        assert ended_apart > 1


def test_the_reset_row_of_the_next_step_mode_is_no_transition(world: str) -> None:
    """Its action is ignored, even if it is none, and its reward is 0; the last frame of an episode was shown before."""
    with closing(vector(world, 2)) as envs:
        envs.reset(seed=0)
        seen = 0
        while seen < 3:
            frames, _, terminations, _, _ = envs.step(np.ones(2, int))
            if terminations.any():
                seen += 1
                lane = int(terminations.argmax())
                actions = np.ones(2, int)
                actions[terminations] = -9
                after, rewards, ended, truncated, infos = envs.step(actions)
                assert (rewards[lane], ended[lane], truncated[lane]) == (0, False, False)
                assert "_executed" not in infos or not infos["_executed"][lane]
                assert infos["_start_index"][lane]
                assert not np.array_equal(after[lane], frames[lane])


def test_final_observations_keep_the_order_of_lanes_with_a_mask(world: str) -> None:
    """One peer hands out the final frames of the dead lanes only, compacted: row i is then not lane i."""
    with closing(vector(world, 4, autoreset_mode="SameStep")) as envs:
        envs.reset(seed=0)
        seen = 0
        while seen < 4:
            frames, _, terminations, truncations, infos = envs.step(np.ones(4, int))
            assert terminations.dtype == truncations.dtype == np.bool_, "flags are no integers"
            if terminations.any():
                seen += 1
                np.testing.assert_array_equal(infos["_final_obs"], terminations)
                np.testing.assert_array_equal(infos["_final_info"], terminations)
                assert [last is not None for last in infos["final_obs"]] == terminations.tolist()
                for lane in np.flatnonzero(terminations):
                    assert infos["final_obs"][lane] in envs.single_observation_space
                    assert not np.array_equal(infos["final_obs"][lane], frames[lane])
                    assert not np.shares_memory(infos["final_obs"][lane], frames)


def test_a_finished_lane_waits_for_its_reset_where_autoreset_is_disabled(world: str) -> None:
    """A step in between would be a transition from nowhere."""
    with closing(vector(world, autoreset_mode="Disabled")) as envs:
        envs.reset(seed=0)
        over = np.zeros(LANES, bool)
        while not over.any():
            frames, _, terminations, truncations, _ = envs.step(np.ones(LANES, int))
            over = terminations | truncations
        with pytest.raises(ResetNeeded, match=rf"lanes \[{np.flatnonzero(over)[0]}.*reset_mask"):
            envs.step(np.ones(LANES, int))
        after, infos = envs.reset(options={"reset_mask": over})
        np.testing.assert_array_equal(after[~over], frames[~over])
        np.testing.assert_array_equal(infos["_start_index"], over)
        envs.step(np.ones(LANES, int))


def test_a_mask_resets_its_lanes_and_seeds_them_alone(world: str) -> None:
    """`seed + i` holds under a mask too; the others go on, bit for bit."""
    mask = np.array([False, True, False])
    with closing(vector(world)) as envs, closing(vector(world)) as calm, closing(DreamEnv(world)) as single:
        envs.reset(seed=5)
        calm.reset(seed=5)
        options = {"reset_mask": mask, "start": 2}
        frames, _ = envs.reset(seed=40, options=options)
        assert list(options) == ["reset_mask", "start"], "the caller's dictionary is the caller's"
        assert envs.np_random_seed == (5, 41, 7)
        np.testing.assert_array_equal(frames[1], single.reset(seed=41, options={"start": 2})[0])
        for actions in actions_of(6, LANES):
            ours, theirs = envs.step(actions), calm.step(actions)
            assert_same([part[~mask] for part in ours[:4]], [part[~mask] for part in theirs[:4]])


def test_a_time_limit_truncates_each_lane_on_its_own(world: str) -> None:
    """`make_vec` hands `max_episode_steps` to us: no wrapper counts for the lanes."""
    with closing(vector(world, max_episode_steps=4, reward="mode")) as envs:
        envs.reset(seed=0)
        envs.step(np.ones(LANES, int))
        envs.reset(options={"reset_mask": np.array([True, False, False])})
        outcomes = [envs.step(np.ones(LANES, int)) for _ in range(5)]
    assert [outcome[3].tolist() for outcome in outcomes] == [
        [False, False, False],
        [False, False, False],
        [False, True, True],
        [True, False, False],
        [False, False, False],
    ]
    assert not any(outcome[2].any() for outcome in outcomes), "the likeliest never ends this dream"


# ---- beginnings ----------------------------------------------------------------------------------------------------


def test_each_lane_can_begin_at_a_start_of_its_own(world: str) -> None:
    """The gap report runs all its starts side by side."""
    with closing(vector(world)) as envs, closing(DreamEnv(world)) as single:
        frames, infos = envs.reset(seed=0, options={"start": [3, 0, 1]})
        assert infos["start_index"].tolist() == [3, 0, 1]
        np.testing.assert_array_equal(frames[2], single.reset(options={"start": 1})[0])
        with pytest.raises(InvalidOption, match="start has 2 entries; expected 3, one for each lane"):
            envs.reset(options={"start": [3, 0]})


def test_more_lanes_than_starts_is_fine(world: str) -> None:
    """One peer's reset loops for ever when more slots are asked for than start states are loaded."""
    with closing(vector(world, 16)) as envs:
        assert len(envs.starts) < 16
        _, infos = envs.reset(seed=0)
        assert set(infos["start_index"].tolist()) == set(envs.dream.shared.beginnings)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ([True, False, False], TypeError, "reset_mask is a list; expected an array of bool"),
        (None, TypeError, "reset_mask is a NoneType; expected an array of bool"),
        (np.ones(3, int), TypeError, "reset_mask is an array of int64; expected an array of bool"),
        (np.ones(2, bool), ValueError, f"reset_mask has shape (2,) with 2 {EXPECTED}"),
        (np.ones((3, 1), bool), ValueError, f"reset_mask has shape (3, 1) with 3 {EXPECTED}"),
        (np.zeros(3, bool), ValueError, f"reset_mask has shape (3,) with 0 {EXPECTED}"),
    ],
)  # fmt: skip
def test_a_wrong_mask_is_refused_and_changes_nothing(world: str, mask: Any, error: type, message: str) -> None:
    """A mask that is quietly reshaped resets the wrong lanes."""
    with closing(vector(world)) as envs:
        envs.reset(seed=0)
        before = envs.clone_state().to_bytes()
        with pytest.raises(error) as raised:
            envs.reset(seed=4, options={"reset_mask": mask})
        assert str(raised.value) == message
        assert envs.clone_state().to_bytes() == before


@pytest.mark.parametrize(
    ("actions", "named"),
    [
        ([1, 1], r"shape \(2,\); expected \(3,\)"),
        (1, r"shape \(\); expected \(3,\)"),
        (np.ones((3, 1), int), r"shape \(3, 1\)"),
        (np.array([0, 3, 1]), "action 3 of lane 1; expected an integer from 0 to 2"),
        (np.array([0, 1, -1]), "action -1 of lane 2"),
        (np.ones(3), r"1\.0.*expected an integer"),
        (np.ones(3, bool), "expected an integer"),
        ([1, True, 0], "expected an integer"),
        ([1, "1", 0], "expected an integer"),
        ([1, None, 0], "expected an integer"),
    ],
)
def test_what_are_no_actions_is_refused_and_changes_nothing(world: str, actions: Any, named: str) -> None:
    """Actions of another number or kind than lanes are a mistake upstream: no float is rounded to an action."""
    with closing(vector(world)) as envs:
        envs.reset(seed=0)
        before = envs.clone_state().to_bytes()
        with pytest.raises(InvalidAction, match=named):
            envs.step(actions)
        assert envs.clone_state().to_bytes() == before
        assert_same(envs.step([1, 0, 2])[0].shape, (LANES, *TOY.frame_size, 3))


def test_steps_and_resets_need_the_right_order(world: str) -> None:
    """Before the first reset and after close: each its own error."""
    envs = vector(world)
    for early in (lambda: envs.step(np.ones(LANES, int)), envs.clone_state, lambda: envs.frames):
        with pytest.raises(ResetNeeded, match="before the first reset"):
            early()
    with pytest.raises(ResetNeeded, match=r"lanes \[1, 2\] have no episode yet"):
        envs.reset(options={"reset_mask": np.array([True, False, False])})
    envs.reset()
    envs.close()
    envs.close()
    for late in (envs.reset, lambda: envs.step(np.ones(LANES, int)), envs.clone_state):
        with pytest.raises(ClosedEnvironmentError, match="closed"):
            late()


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        ({"autoreset_mode": "Sometimes"}, "autoreset_mode is 'Sometimes'; expected AutoresetMode or one of 'NextStep'"),
        ({"render_mode": "human"}, "lanes have no window"),
        ({"num_env": 3}, "did you mean 'num_envs'"),
        ({"autoreset": "NextStep"}, "did you mean 'autoreset_mode'"),
    ],
)
def test_a_wrong_keyword_argument_is_refused_by_name(world: str, kwargs: Any, named: str) -> None:
    """As in the single environment."""
    with pytest.raises(InvalidOption, match=named):
        vector(world, **kwargs)


@pytest.mark.parametrize("lanes", [0, -1, True, 2.0])
def test_what_is_no_number_of_lanes_is_refused(world: str, lanes: Any) -> None:
    """Zero lanes would do nothing for ever."""
    with pytest.raises(InvalidOption, match="num_envs"):
        DreamVectorEnv(lanes, world)


@pytest.mark.parametrize("seed", [-1, "test", [1, 2], [1, -1, 2]])
def test_what_is_no_seed_is_refused_and_changes_nothing(world: str, seed: Any) -> None:
    """Lanes that are half seeded cannot be repeated."""
    with closing(vector(world)) as envs:
        envs.reset(seed=0)
        before = envs.clone_state().to_bytes()
        with pytest.raises((gymnasium.error.Error, ValueError)):
            envs.reset(seed=seed)
        assert envs.clone_state().to_bytes() == before


# ---- seeds and pictures --------------------------------------------------------------------------------------------


def test_seeds_may_be_given_lane_by_lane(world: str) -> None:
    """As in Gymnasium's own: None lets a lane's stream go on."""
    with closing(vector(world)) as envs, closing(vector(world)) as other:
        envs.reset(seed=3)
        other.reset(seed=[3, 4, 5])
        assert_same(envs.reset(seed=[8, None, None]), other.reset(seed=[8, None, None]))
        assert envs.np_random_seed == (8, 4, 5)
        frames, _ = envs.reset()
        np.testing.assert_array_equal(frames, other.reset()[0])


def test_lanes_render_to_a_tuple_of_crisp_pictures(world: str) -> None:
    """What `RecordVideo` and a notebook expect."""
    with closing(vector(world, render_mode="rgb_array")) as envs:
        frames, _ = envs.reset(seed=0)
        pictures = envs.render()
        assert isinstance(pictures, tuple)
        assert len(pictures) == LANES
        factor = pictures[0].shape[0] // frames.shape[1]
        np.testing.assert_array_equal(pictures[1][::factor, ::factor], frames[1])
    with closing(vector(world)) as envs:
        envs.reset(seed=0)
        assert envs.render() is None
