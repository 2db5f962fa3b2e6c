"""What Gymnasium and Stable-Baselines3 ask of an environment, kept by every `Dream/` id.

Both checkers look at one to ten steps only, so the promises that they sample are stated again here over longer runs.
Warnings are errors in this suite: a checker that merely warns fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

import neural_env  # noqa: F401  (registers the ids)
from data_gen.actions import InvalidAction
from data_gen.games import game
from data_gen.twin import Twin
from neural_env.dream_env import DreamEnv
from neural_env.dream_options import InvalidOption
from toy_dream import TOY, actions_of, assert_same, toy_world
from world_model import shipped as shipped_worlds

ACCEPTED = [1, np.int64(1), np.uint8(1), np.array(1), np.array(1, np.int32)]
REFUSED = [
    -1, TOY.num_actions, 2**70, np.int64(-1), True, np.bool_(True), np.array(True), 2.0, 2.5, np.float32(1),
    np.array(1.0), float("nan"), "1", b"1", None, [1], (1,), {}, np.array([1]), np.array([[1]]), np.array("1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_world(tmp_path_factory.mktemp("dream") / "toy")


@pytest.fixture(scope="module")
def ids(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every id that can be made here: any world's, and that of a game whose world comes with the package."""
    shipped = tmp_path_factory.mktemp("shipped")
    toy_world(shipped / "pong", game("Pong"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped_worlds, "SHIPPED", shipped)
        yield [("Dream/World-v0", {"world": str(world)}), ("Dream/Pong-v0", {})]


@pytest.fixture(autouse=True)
def no_screen_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")


# ---- the checkers ------------------------------------------------------------------------------------------------


def test_both_checkers_are_silent_on_the_raw_and_on_the_made_environment(ids: Any) -> None:
    """Any user's first act with a foreign environment; no learned environment examined so far passes."""
    for env_id, kwargs in ids:
        with closing(gymnasium.make(env_id, **kwargs)) as env:
            check_env(env.unwrapped)
        with closing(gymnasium.make(env_id, **kwargs)) as env:
            check_env_of_sb3(env)
            check_env_of_sb3(env.unwrapped)


def test_gymnasiums_checker_is_silent_on_a_dream_that_was_not_registered(world: Path) -> None:
    """A class of ours is as good as an id of ours."""
    with closing(DreamEnv(world)) as env:
        check_env(env, skip_render_check=True)


def test_the_passive_checker_is_silent(ids: Any) -> None:
    """`gym.make` wraps every environment in it: a warning here reaches every user."""
    for env_id, kwargs in ids:
        with closing(gymnasium.make(env_id, render_mode="rgb_array", **kwargs)) as env:
            env.reset(seed=0)
            for action in (1, 2, 0):
                env.step(action)
            env.render()


def test_spaces_are_the_twins(ids: Any) -> None:
    """An agent trained in one is run in the other without a line of glue."""
    for (env_id, kwargs), spec in zip(ids, (TOY, game("Pong")), strict=True):
        with closing(gymnasium.make(env_id, **kwargs)) as env, closing(Twin(spec)) as twin:
            assert env.observation_space == twin.observation_space
            assert env.action_space == twin.action_space
            assert env.unwrapped.get_action_meanings() == twin.get_action_meanings()  # type: ignore[attr-defined]
            assert env.unwrapped.get_keys_to_action() == twin.get_keys_to_action()  # type: ignore[attr-defined]
            assert env.metadata["render_fps"] == twin.metadata["render_fps"]


# ---- what comes out ----------------------------------------------------------------------------------------------


def test_a_step_returns_plain_types_and_owned_frames(world: Path) -> None:
    """SB3 refuses NumPy flags; and a caller that draws into a frame, or clears an info, must not change the dream."""
    with closing(DreamEnv(world, render_mode="rgb_array")) as env, closing(DreamEnv(world)) as untouched:
        frame, info = env.reset(seed=1)
        untouched.reset(seed=1)
        assert type(info) is dict
        for action in actions_of(60):
            frame[:] = 77
            outcome = env.step(action)
            assert_same(outcome, untouched.step(action))
            frame, reward, terminated, truncated, info = outcome
            assert [type(each) for each in (reward, terminated, truncated, info)] == [float, bool, bool, dict]
            assert frame in env.observation_space
            assert frame.flags.c_contiguous
            assert frame.base is None
            assert frame.dtype == np.uint8
            for value in info.values():
                if isinstance(value, np.ndarray):
                    value[:] = 0
            info.clear()
            assert not np.array_equal(env.render(), np.full_like(env.render(), 77))
            if terminated:
                assert_same(env.reset(), untouched.reset())


def test_info_tells_what_was_executed_and_what_was_likely(world: Path) -> None:
    """Counterfactuals and the gap report are made from it."""
    with closing(DreamEnv(world, start="anywhere")) as env:
        _, info = env.reset(seed=0)
        begun_at = info["start_index"]
        assert 0 <= begun_at < len(env.starts)
        _, reward, _, _, info = env.step(1)
        assert info.keys() == {"executed", "start_index", "reward_probabilities", "termination_probability", "surprise"}
        assert info["executed"].shape == (TOY.ticks_per_step,)
        assert info["executed"].dtype == np.int64
        assert info["start_index"] == begun_at
        assert info["reward_probabilities"].shape == (len(env.reward_values),)
        assert info["reward_probabilities"].sum() == pytest.approx(1, abs=1e-6)
        assert type(info["termination_probability"]) is float
        assert 0 <= info["termination_probability"] <= 1
        assert reward in env.reward_values, "raw game points, never clipped to their sign"


def test_rewards_are_the_games_own_points(world: Path) -> None:
    """Peers clip rewards to their sign, so that a return in the dream is not a score: 2 stays 2 here."""
    with closing(DreamEnv(world)) as env:
        assert env.reward_values == (0.0, 1.0, 2.0)
        seen = set()
        env.reset(seed=0)
        for action in actions_of(60):
            _, reward, terminated, _, _ = env.step(action)
            seen.add(reward)
            if terminated:
                env.reset()
        assert seen == {0.0, 1.0, 2.0}


def test_dreams_can_end_and_last_longer_than_a_step(world: Path) -> None:
    """One peer's termination is hard-coded to False; another raises as soon as its model predicts one."""
    with closing(DreamEnv(world)) as env:
        lengths = []
        for seed in range(5):
            env.reset(seed=seed)
            lengths.append(1)
            while not env.step(1)[2]:
                lengths[-1] += 1
                assert lengths[-1] < 1000
    assert 2 < np.mean(lengths) < 200


def test_a_dream_begins_with_the_start_that_its_info_names(world: Path) -> None:
    """Peers begin on grey padding that the game never shows; here the last frame of a real context is dreamed first."""
    from world_model.simulator import Simulator

    with closing(DreamEnv(world)) as env:
        simulator = Simulator(env.dream.shared.world)
        for index, start in enumerate(env.starts):
            frame, info = env.reset(seed=5, options={"start": index})
            assert info["start_index"] == index
            np.testing.assert_array_equal(frame, simulator.start([start.context], [0])[1][0])


def test_every_render_mode_renders_after_reset_and_after_step(ids: Any) -> None:
    """A mode that is declared and fails is found by a user in the middle of a demonstration."""
    for env_id, kwargs in ids:
        with closing(gymnasium.make(env_id, render_mode="rgb_array", **kwargs)) as env:
            assert env.metadata["render_modes"] == ["rgb_array", "human"]
            frame, _ = env.reset(seed=0)
            for _ in range(2):
                picture: Any = env.render()
                factor = picture.shape[0] // frame.shape[0]
                assert picture.dtype == np.uint8
                assert picture.shape[0] > 250, "large enough to look at"
                np.testing.assert_array_equal(picture[::factor, ::factor], frame, "the pixels are crisp")
                np.testing.assert_array_equal(picture[factor - 1 :: factor, factor - 1 :: factor], frame)
                frame = env.step(1)[0]
        assert type(env.metadata["render_fps"]) is int, "gymnasium.utils.play takes whole numbers only"
        with closing(gymnasium.make(env_id, render_mode="rgb_array_list", **kwargs)) as env:
            env.reset(seed=0)
            env.step(1)
            assert len(env.render()) == 2  # type: ignore[arg-type]


def test_human_mode_needs_neither_screen_nor_sound_card(world: Path) -> None:
    """Starting all of pygame opens the mixer, which fails on servers."""
    import pygame

    with closing(gymnasium.make("Dream/World-v0", world=str(world), render_mode="human")) as env:
        env.reset(seed=0)
        assert env.render() is None
        env.step(1)
        assert env.render() is None
        assert pygame.display.get_init()
        assert pygame.mixer.get_init() is None
    assert not pygame.display.get_init()


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_what_is_no_action_is_refused_and_changes_nothing(world: Path) -> None:
    """ALE takes -1 and True for actions: a mistaken agent then trains on another game without a word."""
    with closing(DreamEnv(world)) as env, closing(DreamEnv(world)) as undisturbed:
        assert_same(env.reset(seed=2), undisturbed.reset(seed=2))
        before = env.clone_state().to_bytes()
        for action in REFUSED:
            with pytest.raises(InvalidAction, match=f"expected an integer from 0 to {TOY.num_actions - 1}"):
                env.step(action)
        assert env.clone_state().to_bytes() == before, "neither the moment nor its randomness"
        assert_same(env.step(2), undisturbed.step(2))


def test_every_whole_number_is_accepted_as_an_action(world: Path) -> None:
    """Policies return int, NumPy integers and 0-d arrays; all mean the same, and none becomes a float."""
    with closing(DreamEnv(world)) as env:
        outcomes = []
        for action in ACCEPTED:
            env.reset(seed=2)
            outcomes.append(env.step(action))
    for outcome in outcomes:
        assert_same(outcome, outcomes[0])


def test_a_step_needs_a_running_episode(world: Path) -> None:
    """Before the first reset, after the end and after close: each its own error, by name."""
    with closing(DreamEnv(world, render_mode="rgb_array", max_episode_steps=1)) as env:
        for early in (lambda: env.step(0), env.clone_state, env.render, lambda: env.branch(2)):
            with pytest.raises(ResetNeeded, match="before the first reset"):
                early()
        env.reset(seed=0)
        env.step(0)
        for late in (lambda: env.step(0), env.clone_state, lambda: env.branch(2)):
            with pytest.raises(ResetNeeded, match="the episode is over"):
                late()
        env.reset()
        env.step(0)
        env.close()
        env.close()
        for late in (env.reset, lambda: env.step(0), env.render, env.clone_state, lambda: env.branch(2)):
            with pytest.raises(ClosedEnvironmentError, match="closed"):
                late()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"noise": 3}, "'noise'; it has start, frames, executed, state"),
        ({"starts": 3}, "did you mean 'start'"),
        ({"start": -1}, "start is -1; expected 'episode' or 'anywhere' or the index"),
        ({"start": 99}, r"this world has 4 starts \(0 to 3\)"),
        ({"start": True}, "start is True"),
        ({"start": "middle"}, "start is 'middle'"),
        ({"start": 0, "state": object()}, "start and state"),
        ({"state": b"1"}, "the state is a bytes; expected what clone_state gave"),
        ({"executed": np.zeros((1, 2), int)}, "there are no frames"),
        ({"frames": np.zeros((36, 36, 3), np.uint8)}, r"frames is uint8 \[36, 36, 3\]; expected uint8 \[1 or more, 36"),
        ({"frames": np.zeros((1, 36, 36, 3))}, "frames is float64"),
        ({"frames": np.zeros((0, 36, 36, 3), np.uint8)}, r"frames is uint8 \[0,"),
        ({"frames": np.zeros((2, 36, 36, 3), np.uint8)}, r"executed is a NoneType; expected whole numbers \[1, 2\]"),
        ({"frames": np.zeros((2, 36, 36, 3), np.uint8), "executed": np.full((1, 2), 3)}, "expected 0 to 2"),
        ({"frames": np.zeros((2, 36, 36, 3), np.uint8), "executed": np.zeros((1, 2))}, "executed is float64"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused_by_name_and_changes_nothing(world: Path, options: Any, named: str) -> None:
    """A misspelt option that is silently ignored costs a day; a half-done reset costs two."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=4)
        before, given = env.clone_state().to_bytes(), dict(options)
        with pytest.raises(ValueError, match=named):
            env.reset(seed=9, options=options)
        assert env.clone_state().to_bytes() == before
        assert options.keys() == given.keys(), "the caller's dictionary is the caller's"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"temprature": 1.0}, "did you mean 'temperature'"),
        ({"max_steps": 5}, "no option 'max_steps'; did you mean"),
        ({"colour": 1}, "no option 'colour'; it has world, game, device"),
        ({"rendermode": "human"}, "did you mean 'render_mode'"),
        ({"steps": 0}, "steps is 0; expected a whole number from 1 on"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"steps": True}, "steps is True"),
        ({"temperature": -1}, "temperature is -1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"guidance": "high"}, "guidance is 'high'"),
        ({"context_noise": 1}, "context_noise is 1; expected a number from 0 to below 1"),
        ({"reward": "best"}, "reward is 'best'; expected 'sample' or 'mode'"),
        ({"start": "somewhere"}, "start is 'somewhere'"),
        ({"repeat_action_probability": 1.0}, "repeat_action_probability is 1.0"),
        ({"max_episode_steps": 0}, "max_episode_steps is 0; expected a whole number from 1 on, or -1"),
        ({"deterministic": True}, "deterministic is True; expected 'bitwise' or 'fast'"),
        ({"deterministic": "bitwise", "device": "cuda"}, "expected 'fast' on anything but a CPU"),
        ({"dtype": "int8"}, "dtype is 'int8'; expected 'float32' or 'bfloat16' or 'float64'"),
        ({"device": "gpu"}, "device is 'gpu'; expected 'cpu', 'cuda' or 'cuda:<n>'"),
        ({"render_mode": "rgb_arry"}, "render_mode is 'rgb_arry'"),
        ({"world": ""}, "world is ''"),
    ],
)
def test_a_wrong_keyword_argument_is_refused_by_name(world: Path, options: Any, named: str) -> None:
    """When the environment is made, not an hour later."""
    with pytest.raises(InvalidOption, match=named):
        DreamEnv(**{"world": world, **options})


def test_a_wrong_start_of_the_world_is_found_at_the_first_reset(world: Path) -> None:
    """How many starts there are is known when the world is loaded; until then nothing has happened."""
    with closing(DreamEnv(world, start=99)) as env, pytest.raises(InvalidOption, match="start is 99"):
        env.reset()


@pytest.mark.parametrize("seed", [-1, "test", 1.5])
def test_what_is_no_seed_is_refused(world: Path, seed: Any) -> None:
    """A seed that is quietly replaced makes a result that nobody can repeat."""
    with closing(DreamEnv(world)) as env, pytest.raises(gymnasium.error.Error):
        env.reset(seed=seed)


# ---- how episodes end ----------------------------------------------------------------------------------------------


def lengths_of(env: Any, episodes: int) -> list[tuple[int, bool, bool]]:
    """Steps of each episode, and the flags of its last one."""
    lengths = []
    for seed in range(episodes):
        env.reset(seed=seed)
        steps, ends = 0, (False, False)
        while not any(ends):
            ends = env.step(1)[2:4]
            steps += 1
        lengths.append((steps, *ends))
    return lengths


def test_the_time_limit_truncates_and_an_end_on_its_last_step_terminates(world: Path) -> None:
    """Agents bootstrap after a truncation and not after a termination; both at once would mean both."""
    with closing(DreamEnv(world, max_episode_steps=-1)) as env:
        free = lengths_of(env, 6)
    assert {each[1:] for each in free} == {(True, False)}
    limit = free[0][0]
    with closing(DreamEnv(world, max_episode_steps=limit)) as env:
        limited = lengths_of(env, 6)
    assert limited == [(min(steps, limit), steps <= limit, steps > limit) for steps, _, _ in free]
    assert limited[0] == (limit, True, False)
    assert any(truncated for _, _, truncated in limited)


def test_the_games_own_limit_holds_unless_another_is_asked_for(tmp_path: Path) -> None:
    """The dream of a game with a time limit has the twin's; `gym.make` can shorten it, `-1` lifts it."""
    folder = str(toy_world(tmp_path / "limited", TOY.replace(max_steps=9)))
    for kwargs, most in (({}, 9), ({"max_episode_steps": 2}, 2)):
        with closing(gymnasium.make("Dream/World-v0", world=folder, **kwargs)) as env:
            assert max(lengths_of(env, 5))[0] == most
    with closing(DreamEnv(folder, max_episode_steps=-1)) as env:
        assert max(lengths_of(env, 5))[0] > 9


def test_stickiness_is_the_games_unless_another_is_asked_for(world: Path) -> None:
    """A sticky game is dreamed sticky: the tick before stays with the twin's probability, across steps and starts."""
    for probability in (None, 0.0, 0.6):
        with closing(DreamEnv(world, repeat_action_probability=probability)) as env:
            repeated, changes, rng = 0, 0, np.random.default_rng(0)
            env.reset(seed=0, options={"start": 0})
            last = 0
            for _ in range(80):
                action = int(rng.integers(TOY.num_actions))
                _, _, terminated, _, info = env.step(action)
                for executed in info["executed"].tolist():
                    assert executed in (action, last)
                    changes += action != last
                    repeated += executed != action
                    last = executed
                if terminated:
                    env.reset(options={"start": 0})
                    last = 0
            probability = TOY.repeat_action_probability if probability is None else probability
            # Four standard deviations, on a fixed seed: it cannot fail by chance.
            assert abs(repeated - probability * changes) <= 4 * np.sqrt(changes * probability * (1 - probability))


def test_stickiness_goes_on_from_the_ticks_before_a_start(world: Path) -> None:
    """In the middle of a game something was being played: that is what the first tick may repeat."""
    with closing(DreamEnv(world, repeat_action_probability=0.99)) as env:
        for index, start in enumerate(env.starts):
            env.reset(seed=0, options={"start": index})
            before = start.prefix[-1, -1] if len(start.prefix) else 0
            assert env.step((before + 1) % TOY.num_actions)[4]["executed"][0] == before
