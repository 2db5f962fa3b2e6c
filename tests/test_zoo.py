"""The shipped zoo is what its manifest says, covers the range of skill, and is small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from agents.evaluate import evaluate
from agents.policy_file import read_record
from agents.record_command import make_policy
from agents.zoo import Role, UnknownPolicy, ZooPolicy, record_sha256, resolve, zoo
from data_gen.games import game

_POLICIES = zoo("Pong")
_EYES = zoo("Pong", role="eye")
_GAMES = ("Pong", "DoomTakeCover")


@pytest.mark.parametrize(("game_name", "policies"), [("Pong", 15), ("DoomTakeCover", 8)])
def test_there_are_so_many_policies_and_3_eyes_that_are_none_of_them(game_name: str, policies: int) -> None:
    compared, eyes = zoo(game_name), zoo(game_name, role="eye")
    assert (len(compared), len(eyes)) == (policies, 3)
    assert not {policy.sha256 for policy in compared.values()} & {policy.sha256 for policy in eyes.values()}


@pytest.mark.parametrize(
    ("game_name", "policy"),
    [(each, policy) for each in _GAMES for role in get_args(Role) for policy in zoo(each, role).values()],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_each_loads_and_is_the_one_that_was_scored(game_name: str, policy: ZooPolicy) -> None:
    """The manifest's hash covers the record, the record's covers the weights, and loading checks those."""
    spec = game(game_name)
    assert record_sha256(policy.path) == policy.sha256
    loaded = policy.load()
    loaded.reset(np.arange(3), np.arange(3))
    actions = loaded(np.zeros((3, *spec.frame_size, 3), np.uint8), np.arange(3))
    assert actions.shape == (3,)
    assert loaded.num_actions == spec.num_actions
    low, high = policy.score["interval_95"]
    assert low <= policy.score["mean_return"] <= high


@pytest.mark.parametrize(("game_name", "hole"), [("Pong", 0.25), ("DoomTakeCover", 0.27)])
def test_the_range_of_skill_has_no_large_hole(game_name: str, hole: float) -> None:
    normalised = sorted(policy.normalised for policy in zoo(game_name).values())
    assert normalised[-1] == 1.0
    assert min(abs(each) for each in normalised) == 0.0
    inside = np.clip(normalised, 0, 1)
    assert np.diff(inside).max() <= hole


def test_the_best_in_doom_solve_it() -> None:
    """Solved, as the task was set: 750 ticks on average over 100 games."""
    best = max((policy.score for policy in zoo("DoomTakeCover").values()), key=lambda score: score["mean_return"])
    assert best["interval_95"][0] >= 750
    assert best["episodes"] == 100


@pytest.mark.xfail(strict=True, reason="the best is at +14.6 (+13.8 to +15.4, 100 episodes), and goes on learning")
def test_the_best_wins_by_15_points() -> None:
    assert max(policy.score["mean_return"] for policy in _POLICIES.values()) >= 15


@pytest.mark.parametrize("game_name", _GAMES)
def test_a_dreamer_never_touched_the_game(game_name: str) -> None:
    """All that it learned, from the first weights on, it learned in the dream; scored over 100 games."""
    for dreamer in zoo(game_name, role="dreamer").values():
        stage = read_record(dreamer.path).training
        while stage:
            assert stage["env"] == f"Dream/{game_name}-v0"
            assert stage.get("real_lanes", 0) == 0
            stage = stage.get("init")
        assert dreamer.score["env"] == f"Real/{game_name}-v0"
        assert dreamer.score["episodes"] == 100


@pytest.mark.parametrize(("game_name", "least"), [("Pong", 0.3), ("DoomTakeCover", 0.1)])
def test_held_out_policies_are_strangers_of_middling_skill(game_name: str, least: float) -> None:
    """Of seeds of their own: what a world meets in the test split it never saw in training."""
    policies = zoo(game_name).values()
    held_out = [policy for policy in policies if policy.held_out]
    assert len(held_out) >= 3
    assert all(least <= policy.normalised <= 1 for policy in held_out)
    seeds = {read_record(policy.path).training["seed"] for policy in held_out}
    others = [read_record(policy.path) for policy in policies if not policy.held_out]
    assert not seeds & {record.training["seed"] for record in others if record.kind == "network"}


@pytest.mark.parametrize(
    ("game_name", "expected"), [("Pong", ["dqn", "dqn", "ppo", "ppo"]), ("DoomTakeCover", ["dqn", "ppo", "ppo"])]
)
def test_the_held_out_are_of_both_algorithms(game_name: str, expected: list[str]) -> None:
    held_out = [policy for policy in zoo(game_name).values() if policy.held_out]
    assert sorted(read_record(policy.path).algorithm for policy in held_out) == expected


@pytest.mark.parametrize(
    ("game_name", "recipe_name", "steps", "test_games"),
    [("Pong", "pong_recording", 300_000, 200), ("DoomTakeCover", "doom_recording", 200_000, 150)],
)
def test_the_recording_recipe_uses_no_held_out_policy_and_no_eye(
    game_name: str, recipe_name: str, steps: int, test_games: int
) -> None:
    recipe = json.loads((Path(__file__).parents[1] / "recipes" / f"{recipe_name}.json").read_text())
    assert recipe["game"] == game_name
    held_out = {name for name, policy in zoo(game_name).items() if policy.held_out}
    recorded = {name.removeprefix("zoo/") for name in recipe["policies"]}
    assert not recorded & held_out
    assert not (recorded | set(recipe["held_out"])) & set(zoo(game_name, role="eye"))
    assert {name.removeprefix("zoo/") for name in recipe["held_out"]} == held_out
    assert recipe["steps"] * (1 - recipe["validation"]) >= steps
    assert recipe["test_episodes"] >= test_games
    for name in recipe["policies"] + recipe["held_out"]:
        make_policy(game_name, name, 0.0)


@pytest.mark.parametrize("game_name", _GAMES)
def test_all_of_it_fits_in_12_megabytes(game_name: str) -> None:
    folder = next(iter(zoo(game_name).values())).path.parent
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 12e6


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownPolicy, match=r"the Pong zoo has no 'nobody'; it has .*random"):
        resolve("zoo/nobody", "Pong")
    with pytest.raises(UnknownPolicy, match="no policies yet"):
        resolve("zoo/nobody", "Boxing")


@pytest.mark.slow
def test_the_best_policy_keeps_its_word_over_100_fresh_episodes() -> None:
    best = max(_POLICIES.values(), key=lambda policy: policy.score["mean_return"])
    assert evaluate(best.load(), "Real/Pong-v0", episodes=100, first_seed=30_000_000).mean >= 15
