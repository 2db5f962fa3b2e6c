"""What Gymnasium and Stable-Baselines3 ask of an environment, kept by every `Real/` id.

Both checkers look at one to ten steps only, so the promises that they sample are stated again here over longer runs.
Warnings are errors in this suite: a checker that merely warns fails.
"""

from __future__ import annotations

import pickle
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

import neural_env  # noqa: F401  (registers the ids)
from data_gen.actions import InvalidAction
from data_gen.games import games
from data_gen.registration import twin_id
from data_gen.twin import Twin
from toy_game import COUNTING

BUILT_IN = games()  # as they are now: other tests add their own
IDS = [twin_id(spec.name) for spec in BUILT_IN]
ONE_OF_EACH_EMULATOR = ["Pong", "DoomBasic", COUNTING]
STEPS = 50

ACCEPTED = [1, np.int64(1), np.uint8(1), np.array(1), np.array(1, np.int32)]
REFUSED = [
    -1, 2**70, np.int64(-1), True, np.bool_(True), np.array(True), 2.0, 2.5, np.float32(1), np.array(1.0),
    float("nan"), "1", b"1", None, [1], (1,), {}, np.array([1]), np.array([[1]]), np.array("1"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_screen_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")  # so that a mixer, if it were started, would really start


def random_actions(twin: Any, count: int = STEPS) -> list[int]:
    return [int(action) for action in np.random.default_rng(0).integers(twin.action_space.n, size=count)]


def assert_same(one: Any, other: Any) -> None:
    """Equal values of equal types, through tuples, dictionaries and arrays."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def generator_of(twin: Any) -> dict[str, Any]:
    state: dict[str, Any] = twin.np_random.bit_generator.state
    return state


# ---- the checkers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", IDS)
def test_both_checkers_are_silent(env_id: str) -> None:
    """Any user's first act with a foreign environment."""
    with closing(gymnasium.make(env_id)) as env:
        check_env(env.unwrapped)
    with closing(gymnasium.make(env_id)) as env:
        check_env_of_sb3(env.unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_the_passive_checker_is_silent(env_id: str) -> None:
    """`gym.make` wraps every env in it: a warning here reaches every user."""
    with closing(gymnasium.make(env_id, render_mode="rgb_array")) as env:
        env.reset(seed=0)
        for action in random_actions(env, 3):
            env.step(action)
        env.render()


# ---- determinism -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", IDS)
def test_equal_seeds_and_actions_give_equal_games(env_id: str) -> None:
    """The checker compares one step; a game that is random from its third step on would pass it."""
    with closing(gymnasium.make(env_id)) as one, closing(gymnasium.make(env_id)) as other:
        assert_same(one.reset(seed=0), other.reset(seed=0))
        for action in random_actions(one):
            outcome = one.step(action)
            assert_same(outcome, other.step(action))
            assert outcome[0] in one.observation_space
            if outcome[2] or outcome[3]:
                assert_same(one.reset(), other.reset())
        assert generator_of(one) == generator_of(other)


@pytest.mark.parametrize("env_id", IDS)
def test_a_pickled_twin_plays_the_same_seeded_game(env_id: str) -> None:
    """Vector environments and job queues send environments to other processes."""
    with closing(gymnasium.make(env_id)) as env, closing(pickle.loads(pickle.dumps(env))) as copy:
        assert copy.spec == env.spec
        assert_same(env.reset(seed=7), copy.reset(seed=7))
        assert_same(env.step(1), copy.step(1))


def test_a_pickled_twin_keeps_what_it_was_made_with() -> None:
    """An override that is lost on the way would change the game in the workers only."""
    twin = Twin("Pong", render_mode="rgb_array", repeat_action_probability=0.0, max_noops=3)
    with closing(twin), closing(pickle.loads(pickle.dumps(twin))) as copy:
        assert (copy.game, copy.render_mode) == (twin.game, "rgb_array")


@pytest.mark.parametrize("env_id", ["Real/Pong-v0", "Real/DoomTakeCover-v0"])
def test_vectors_of_equal_seeds_are_equal_and_hold_single_games(env_id: str) -> None:
    """Lane i of a vector seeded with s is the single environment seeded with s + i: neighbours change nothing."""
    with (
        closing(gymnasium.make_vec(env_id, 2, vectorization_mode="sync")) as one,
        closing(gymnasium.make_vec(env_id, 2, vectorization_mode="sync")) as other,
        closing(gymnasium.make(env_id)) as single,
    ):
        frames, _ = one.reset(seed=3)
        np.testing.assert_array_equal(frames, other.reset(seed=3)[0])
        np.testing.assert_array_equal(frames[1], single.reset(seed=4)[0])
        one.action_space.seed(5)
        other.action_space.seed(5)
        for _ in range(20):
            actions = one.action_space.sample()
            np.testing.assert_array_equal(actions, other.action_space.sample())
            frames, rewards, *_ = one.step(actions)
            np.testing.assert_array_equal(frames, other.step(actions)[0])
            frame, reward, *_ = single.step(actions[1])
            np.testing.assert_array_equal(frames[1], frame)
            assert rewards[1] == reward


# ---- what comes out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", ONE_OF_EACH_EMULATOR)
def test_a_step_returns_plain_types_and_owned_frames(game: Any) -> None:
    """SB3 refuses NumPy flags; and a caller that draws into a frame must not draw into the game."""
    with closing(Twin(game, render_mode="rgb_array")) as twin, closing(Twin(game)) as untouched:
        frame, info = twin.reset(seed=1)
        untouched.reset(seed=1)
        assert type(info) is dict
        for action in random_actions(twin, 5):
            frame[:] = 77
            shown, reward, terminated, truncated, info = twin.step(action)
            assert [type(x) for x in (reward, terminated, truncated, info)] == [float, bool, bool, dict]
            assert info["executed"].shape == (twin.game.ticks_per_step,)
            assert_same((shown, reward, terminated, truncated, info), untouched.step(action))
            frame = shown
            frame[:] = 77
            info.clear()
            rendered = twin.render()
            assert rendered is not None
            assert not (rendered == 77).all()


@pytest.mark.parametrize("env_id", IDS)
def test_every_render_mode_renders_after_reset_and_after_step(env_id: str) -> None:
    """A mode that is declared and fails is found by a user in the middle of a demonstration."""
    with closing(gymnasium.make(env_id, render_mode="rgb_array")) as env:
        assert env.metadata["render_modes"] == ["rgb_array", "human"]
        env.reset(seed=0)
        for _ in range(2):
            picture: Any = env.render()
            assert isinstance(picture, np.ndarray)
            assert picture.dtype == np.uint8
            assert picture.ndim == 3
            assert picture.shape[2] == 3
            assert picture.shape[0] > 250, "large enough to look at"
            assert picture.max() > 0
            env.step(1)
    assert isinstance(env.metadata["render_fps"], int), "gymnasium.utils.play takes whole numbers only"


def test_human_mode_needs_neither_screen_nor_sound_card() -> None:
    """Starting all of pygame opens the mixer, which fails on servers."""
    import pygame

    with closing(gymnasium.make("Real/Pong-v0", render_mode="human")) as env:
        env.reset(seed=0)
        assert env.render() is None
        env.step(1)
        assert env.render() is None
        assert pygame.display.get_init()
        assert pygame.mixer.get_init() is None
    assert not pygame.display.get_init()


def test_meanings_and_keys_name_every_action() -> None:
    """Play, agents and reports print them."""
    for spec in BUILT_IN:
        with closing(Twin(spec)) as twin:
            assert twin.get_action_meanings() == list(spec.action_meanings)
            assert set(twin.get_keys_to_action().values()) == set(range(spec.num_actions))
            assert all(type(held) is tuple for held in twin.get_keys_to_action())


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", ONE_OF_EACH_EMULATOR)
def test_what_is_no_action_is_refused_and_changes_nothing(game: Any) -> None:
    """ALE takes -1 and True for actions: a mistaken agent then trains on another game without a word."""
    with closing(Twin(game)) as twin, closing(Twin(game)) as undisturbed:
        twin.reset(seed=2)
        undisturbed.reset(seed=2)
        for action in [*REFUSED, twin.game.num_actions, np.int64(twin.game.num_actions)]:
            before = generator_of(twin)
            with pytest.raises(InvalidAction, match=f"expected an integer from 0 to {twin.game.num_actions - 1}"):
                twin.step(action)
            with pytest.raises(InvalidAction):
                twin.advance([*[0] * (twin.game.ticks_per_step - 1), action])  # type: ignore[list-item]
            assert generator_of(twin) == before
        for action in random_actions(twin, 8):
            assert_same(twin.step(action), undisturbed.step(action))


def test_every_whole_number_is_accepted_as_an_action() -> None:
    """Policies return int, NumPy integers and 0-d arrays; all mean the same."""
    with closing(Twin("Pong")) as twin:
        outcomes = []
        for action in ACCEPTED:
            twin.reset(seed=2)
            outcomes.append(twin.step(action))
        for outcome in outcomes:
            assert_same(outcome, outcomes[0])


@pytest.mark.parametrize("game", ONE_OF_EACH_EMULATOR)
def test_a_step_needs_a_running_game(game: Any) -> None:
    """Before the first reset, after the end and after close: each its own error, by name."""
    with closing(Twin(game)) as twin, pytest.raises(ResetNeeded, match="before the first reset"):
        twin.step(0)
    with closing(Twin(twin.game.replace(max_steps=3), render_mode="rgb_array")) as twin:
        with pytest.raises(ResetNeeded, match="before the first reset"):
            twin.render()
        twin.reset(seed=0)
        assert [twin.step(0)[3] for _ in range(3)] == [False, False, True]
        for _ in range(2):
            with pytest.raises(ResetNeeded, match="the episode is over"):
                twin.step(0)
        twin.reset()
        twin.step(0)
        twin.close()
        twin.close()
        for late in (twin.reset, lambda: twin.step(0), twin.clone_state):
            with pytest.raises(ClosedEnvironmentError, match="closed"):
                late()


def test_an_unknown_option_is_refused_by_name_and_changes_nothing() -> None:
    """A misspelt option that is silently ignored costs a day."""
    with closing(Twin("Pong")) as twin, closing(Twin("Pong")) as undisturbed:
        twin.reset(seed=4)
        undisturbed.reset(seed=4)
        options = {"start_index": 3}
        with pytest.raises(ValueError, match="start_index"):
            twin.reset(seed=9, options=options)
        assert options == {"start_index": 3}, "the caller's dictionary is the caller's"
        assert generator_of(twin) == generator_of(undisturbed)
        assert_same(twin.step(2), undisturbed.step(2))
        twin.reset(options={})


@pytest.mark.parametrize("seed", [-1, "test", 1.5])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    """A seed that is quietly replaced makes a recording that cannot be replayed."""
    with closing(Twin("Pong")) as twin, pytest.raises(gymnasium.error.Error):
        twin.reset(seed=seed)


def test_the_render_mode_is_checked() -> None:
    """A typing mistake is named when the twin is made."""
    with pytest.raises(ValueError, match="rgb_arry"):
        Twin("Pong", render_mode="rgb_arry")


# ---- how games end -----------------------------------------------------------------------------------------------


def test_the_time_limit_truncates_and_does_not_terminate() -> None:
    """Agents bootstrap the value after a truncation and not after a termination."""
    with closing(Twin(COUNTING.replace(max_steps=5))) as twin:
        twin.reset(seed=0)
        ends = [twin.step(0)[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]


def test_an_end_on_the_last_step_of_the_time_limit_terminates() -> None:
    """Both at once would tell an agent to bootstrap from a game that is over."""
    with closing(Twin(COUNTING)) as twin:
        twin.reset(seed=0)
        length = 1
        while not twin.step(0)[2]:
            length += 1
    with closing(Twin(COUNTING.replace(max_steps=length))) as twin:
        twin.reset(seed=0)
        outcomes = [twin.step(0) for _ in range(length)]
    assert outcomes[-1][2:4] == (True, False)
