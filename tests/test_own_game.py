"""Bring your own game: any Gymnasium id with image observations and discrete actions becomes `Real/<name>-v0`."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from data_gen.games import UnknownGame, game
from data_gen.spec import GameSpec, InvalidSpec
from data_gen.twin import Twin
from neural_env import register_game
from toy_game import COUNTING, counter_of


class Showing(gymnasium.Env[Any, Any]):
    """A game of one still picture, with whatever spaces a test wants."""

    def __init__(self, observation_space: gymnasium.Space[Any], action_space: gymnasium.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.played: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.full_like(self.observation_space.sample(), 10 + action), 1.0, False, False, {}


if "Toy/Showing-v0" not in gymnasium.registry:
    gymnasium.register("Toy/Showing-v0", entry_point=lambda **kwargs: Showing(**kwargs))


def image(*shape: int, dtype: Any = np.uint8) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(0, 255, shape, dtype)


def showing(observation_space: Any, action_space: Any, actions: int = 3) -> GameSpec:
    return GameSpec(
        name="Showing",
        emulator="gym",
        emulator_id="Toy/Showing-v0",
        action_meanings=("NOOP", "A", "B", "C", "D")[:actions],
        emulator_kwargs={"observation_space": observation_space, "action_space": action_space},
    )


def test_a_registered_game_passes_both_checkers() -> None:
    """What holds for the games of the package holds for a user's."""
    assert register_game(COUNTING) == "Real/Counting-v0"
    assert register_game(COUNTING) == "Real/Counting-v0", "a script may run twice in one session"
    assert game("Counting") == COUNTING
    for check in (check_env, check_env_of_sb3):
        with closing(gymnasium.make("Real/Counting-v0")) as env:
            check(env.unwrapped)


def test_a_registered_game_is_seen_as_its_spec_says() -> None:
    """Size, ticks and stickiness are the twin's, not the environment's."""
    register_game(COUNTING)
    with closing(gymnasium.make("Real/Counting-v0", repeat_action_probability=0.5)) as env:
        frame, _ = env.reset(seed=1)
        assert counter_of(frame) == 0
        frame, *_, info = env.step(2)
        assert counter_of(frame) == COUNTING.ticks_per_step
        assert info["executed"].shape == (COUNTING.ticks_per_step,)
    with closing(Twin(COUNTING.replace(frame_size=(50, 60)))) as twin:
        assert twin.reset(seed=1)[0].shape == (50, 60, 3)


def test_a_worker_that_never_ran_the_script_can_make_it() -> None:
    """Vector environments start processes in which `register_game` was never called: the id carries the whole game."""
    register_game(COUNTING)
    kwargs = gymnasium.spec("Real/Counting-v0").kwargs
    assert GameSpec.from_dict(kwargs["game"]) == COUNTING
    with closing(Twin(**kwargs)) as twin:
        assert twin.game == COUNTING


@pytest.mark.parametrize("shape", [(40, 48, 3), (40, 48, 1), (40, 48)])
def test_gray_pictures_become_three_channels(shape: tuple[int, ...]) -> None:
    """Twin, recordings and dream know one kind of frame."""
    spec = showing(image(*shape), gymnasium.spaces.Discrete(3)).replace(frame_size=(20, 24))
    with closing(Twin(spec)) as twin:
        frame, _ = twin.reset(seed=0)
        assert frame.shape == (20, 24, 3)
        frame, reward, *_ = twin.step(2)
        assert (frame == 12).all()
        assert reward == 4.0


def test_actions_are_counted_from_the_start_of_the_space() -> None:
    """Gymnasium allows Discrete(3, start=5); the twin's actions begin at 0 as every agent expects."""
    with closing(Twin(showing(image(40, 40, 3), gymnasium.spaces.Discrete(3, start=5)))) as twin:
        twin.reset(seed=0)
        assert (twin.step(1)[0] == 16).all()


@pytest.mark.parametrize(
    ("observation_space", "action_space", "named"),
    [
        (image(4), gymnasium.spaces.Discrete(3), r"observations Box.*expected uint8 images"),
        (image(3, 40, 40), gymnasium.spaces.Discrete(3), r"\(3, 40, 40\).*expected uint8 images"),
        (image(40, 40, 4), gymnasium.spaces.Discrete(3), r"\(40, 40, 4\).*expected uint8 images"),
        (image(40, 40, 3, dtype=np.float32), gymnasium.spaces.Discrete(3), r"float32.*expected uint8 images"),
        (gymnasium.spaces.Dict(screen=image(40, 40, 3)), gymnasium.spaces.Discrete(3), r"Dict.*expected uint8 images"),
        (image(40, 40, 3), gymnasium.spaces.MultiBinary(3), r"actions MultiBinary.*expected Discrete"),
        (image(40, 40, 3), gymnasium.spaces.Box(-1, 1, (2,)), r"actions Box.*expected Discrete"),
        (image(40, 40, 3), gymnasium.spaces.Discrete(4), r"action_meanings names 3 actions; 'Toy/Showing-v0' has 4"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_with_what_was_found(
    observation_space: Any, action_space: Any, named: str
) -> None:
    """The user learns it when the twin is made, not from a shape error an hour into training."""
    with pytest.raises(InvalidSpec, match=named):
        Twin(showing(observation_space, action_space))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": "my game"}, "name"),
        ({"emulator": "nes"}, "emulator"),
        ({"action_meanings": ()}, "action_meanings"),
        ({"frame_size": (84, 4)}, "frame_size"),
        ({"ticks_per_step": 0}, "ticks_per_step"),
        ({"tick_rate": 0}, "tick_rate"),
        ({"repeat_action_probability": 1.0}, "repeat_action_probability"),
        ({"max_noops": -1}, "max_noops"),
        ({"max_steps": 0}, "max_steps"),
        ({"keys": {"a": 3}}, "keys"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_field_named(changes: dict[str, Any], named: str) -> None:
    """A spec is written by hand: the message says which line to mend."""
    with pytest.raises(InvalidSpec, match=rf"GameSpec\.{named}\b"):
        COUNTING.replace(**changes)


def test_unknown_and_missing_fields_are_refused_by_name() -> None:
    """Specs come from JSON files too."""
    plain = COUNTING.to_dict()
    with pytest.raises(InvalidSpec, match="no field colour"):
        GameSpec.from_dict({**plain, "colour": 1})
    del plain["emulator_id"]
    with pytest.raises(InvalidSpec, match="lacks emulator_id"):
        GameSpec.from_dict(plain)


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("DoomBasic", {"emulator_id": "basick"}, "no scenario 'basick'"),
        ("DoomBasic", {"action_meanings": ("NOOP", "FLY"), "keys": {}}, "'FLY' names no Doom button"),
        ("DoomBasic", {"emulator_kwargs": {"bot": 3}}, r"no \['bot'\]; it has \['bots', 'map', 'frag_reward'\]"),
        ("DoomBasic", {"emulator_kwargs": {"bots": 99}}, "bots is 99; expected 0 to 15"),
        ("Pong", {"action_meanings": ("NOOP", "UP"), "keys": {}}, r"pong has no \['UP'\]"),
        ("Pong", {"emulator_id": "pnog"}, "no ROM 'pnog'"),
        ("Pong", {"emulator_kwargs": {"mode": 1}}, r"takes none; got \['mode'\]"),
    ],
)
def test_what_an_emulator_does_not_have_is_refused_by_name(name: str, changes: dict[str, Any], named: str) -> None:
    """An option that is silently ignored makes another game than the one that was asked for."""
    with pytest.raises(InvalidSpec, match=named):
        Twin(game(name).replace(**changes))


def test_a_name_means_one_game() -> None:
    """Two games under one name would mix in recordings."""
    register_game(COUNTING)
    with pytest.raises(InvalidSpec, match="already called 'Counting'"):
        register_game(COUNTING.replace(ticks_per_step=3))
    with pytest.raises(InvalidSpec, match="already called 'Pong'"):
        register_game(COUNTING.replace(name="Pong"))


def test_an_unknown_game_is_named_with_the_way_to_add_it() -> None:
    """The message is the documentation that people read."""
    with pytest.raises(UnknownGame, match=r"'Pnog'.*Pong.*register_game"):
        Twin("Pnog")
