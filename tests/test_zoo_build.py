"""A zoo is built from what its recipe says, and a recipe says nothing that nobody understands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.frozen import PolicyHead
from agents.network import FrameNetworkConfig
from agents.policy_file import PolicyRecord, load_policy, read_record, save_policy
from agents.zoo import record_sha256
from agents.zoo.build import ZooBuildConfig, build_zoo, read_recipe
from world_model.plain_config import InvalidConfig

_NETWORK = FrameNetworkConfig(channels=(4, 4, 4), width=8)
_RANDOM = {"name": "random"}
_LEARNED = {
    "name": "learned",
    "origin": "run/policies/step_1",
    "changes": {"deterministic": True, "actions": [0, 1, 3, 2, 5, 4]},
    "held_out": True,
}


def test_it_holds_the_policies_of_the_recipe_with_their_changes_and_scores(tmp_path: Path) -> None:
    torch.manual_seed(1)
    origin = tmp_path / "runs" / "run/policies/step_1"
    record = PolicyRecord("network", 6, network=_NETWORK, training={"steps": 1})
    save_policy(origin, record, PolicyHead(_NETWORK, 6).state_dict())
    config = ZooBuildConfig(
        _recipe(tmp_path, [_LEARNED, _RANDOM]), tmp_path / "runs", tmp_path / "zoo", episodes=1, workers=1
    )
    with pytest.raises(ValueError, match="none of learned, random is better than random play"):
        build_zoo(config)  # of this seed; the scores are kept
    kept = tmp_path / "runs" / "scores"
    (scored,) = kept.glob(f"{record_sha256(config.out / 'random')[:16]}-*.json")
    scored.write_text(json.dumps({**json.loads(scored.read_text()), "returns": [-99.0]}))
    build_zoo(config)
    manifest = json.loads((config.out / "manifest.json").read_text())
    assert manifest["game"] == "Pong"
    random, learned = manifest["policies"]
    assert (random["name"], random["normalised"], random["held_out"]) == ("random", 0, False)
    assert random["score"]["mean_return"] == -99, "played again"
    assert (learned["name"], learned["normalised"], learned["held_out"]) == ("learned", 1, True)
    for entry in (random, learned):
        assert entry["sha256"] == record_sha256(config.out / entry["name"])
        assert entry["score"]["seeds"] == [config.first_seed] * 2
        load_policy(config.out / entry["name"])
    record = read_record(config.out / "learned")
    assert (record.deterministic, record.actions, record.training) == (True, (0, 1, 3, 2, 5, 4), {"steps": 1})


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ([_RANDOM, {"name": "a", "orign": "run"}], r"unknown fields \[\"orign\"\]"),
        ([_RANDOM, {"name": "a", "role": "lion"}], 'role is "lion"'),
        ([_RANDOM, _RANDOM], "expected each once"),
        ([_LEARNED], "and 'random', which is the 0 of the scale"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused(tmp_path: Path, policies: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InvalidConfig, match=rf"recipe\.json is no recipe of a zoo: .*{message}"):
        read_recipe(_recipe(tmp_path, policies))


def test_a_change_to_nothing_is_refused(tmp_path: Path) -> None:
    recipe = read_recipe(_recipe(tmp_path, [{"name": "random", "changes": {"epsilom": 0.5}}]))
    with pytest.raises(InvalidConfig, match=r"policy 'random' changes epsilom; expected some of .*'epsilon'"):
        recipe.policies[0].record(PolicyRecord("random", 6))


@pytest.mark.parametrize("name", ["pong", "doom"])
def test_the_recipes_of_the_zoos_that_ship_are_read(name: str) -> None:
    recipe = read_recipe(Path(__file__).parents[1] / "recipes" / f"{name}_zoo.json")
    assert len(recipe.policies) > 8


def _recipe(folder: Path, policies: list[dict[str, Any]]) -> Path:
    file = folder / "recipe.json"
    file.write_text(json.dumps({"game": "Pong", "policies": policies}))
    return file
