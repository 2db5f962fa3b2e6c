"""A policy joins a zoo: scored as it is shipped, on the zoo's own scale, and nothing of the zoo is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.frozen import PolicyHead
from agents.network import FrameNetworkConfig
from agents.policy_file import PolicyRecord, load_policy, save_policy
from agents.zoo import record_sha256
from agents.zoo.add import ZooAddConfig, add_to_zoo

_NETWORK = FrameNetworkConfig(channels=(4, 4, 4), width=8)
_SCORES = {"random": -25.0, "better": 0.0}  # no game of Pong ends below -21; who has learned nothing wins few points


def test_it_is_scored_and_takes_its_place(tmp_path: Path) -> None:
    zoo, policy = _zoo(tmp_path), _policy(tmp_path / "run" / "step_1")
    add_to_zoo(_config(zoo, policy))
    manifest = _manifest(zoo)
    assert [each["name"] for each in manifest["policies"]] == ["random", "learned", "better"]
    added = manifest["policies"][1]
    assert (added["role"], added["held_out"]) == ("dreamer", False)
    assert added["score"]["episodes"] == 2
    assert added["score"]["seeds"] == [7, 8], "the games of the others"
    assert added["normalised"] == pytest.approx((added["score"]["mean_return"] + 25) / 25, abs=1e-4)
    assert added["sha256"] == record_sha256(zoo / "learned")
    load_policy(zoo / "learned")


def test_a_better_one_of_its_name_takes_its_place(tmp_path: Path) -> None:
    zoo = _zoo(tmp_path)
    add_to_zoo(_config(zoo, _policy(tmp_path / "run" / "step_1")))
    before = record_sha256(zoo / "learned")
    add_to_zoo(_config(zoo, _policy(tmp_path / "run" / "step_2", seed=2)))
    assert record_sha256(zoo / "learned") != before
    assert [each["name"] for each in _manifest(zoo)["policies"]].count("learned") == 1


def test_what_cannot_be_is_refused_before_anything_is_played_or_written(tmp_path: Path) -> None:
    zoo, policy = _zoo(tmp_path), _policy(tmp_path / "run" / "step_1")
    before = sorted(zoo.iterdir())
    with pytest.raises(ValueError, match=r"name is 'better', which is another policy in .*manifest\.json"):
        add_to_zoo(_config(zoo, policy, name="better"))
    with pytest.raises(FileNotFoundError, match=r"it has no manifest\.json; zoo-build makes one"):
        add_to_zoo(_config(tmp_path / "elsewhere", policy))
    with pytest.raises(FileNotFoundError, match="no policy at"):
        add_to_zoo(_config(zoo, tmp_path / "nothing"))
    assert sorted(zoo.iterdir()) == before


def _config(zoo: Path, policy: Path, name: str = "learned") -> ZooAddConfig:
    return ZooAddConfig(policy, name, zoo, episodes=2)


def _zoo(folder: Path) -> Path:
    zoo = folder / "zoo"
    zoo.mkdir()
    policies: list[dict[str, Any]] = [
        {"name": name, "role": "zoo", "score": {"mean_return": mean, "seeds": [7, 9]}} for name, mean in _SCORES.items()
    ]
    (zoo / "manifest.json").write_text(json.dumps({"game": "Pong", "policies": policies}))
    return zoo


def _policy(path: Path, seed: int = 1) -> Path:
    record = PolicyRecord(kind="network", num_actions=6, network=_NETWORK, training={"seed": seed})
    torch.manual_seed(seed)
    save_policy(path, record, PolicyHead(_NETWORK, 6).state_dict())
    return path


def _manifest(zoo: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((zoo / "manifest.json").read_text())
    return manifest
