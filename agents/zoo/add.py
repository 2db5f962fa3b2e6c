"""Add a policy to a zoo that there is, scored as it is shipped; one of its name and role makes room for it.

neural-env agent zoo-add --policy runs/dreamt/policies/step_01000000 --name ppo-dream --zoo agents/zoo/pong
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.evaluate import Score, evaluate
from agents.policy_file import load_policy, load_weights, read_record, save_policy
from agents.zoo import Role, record_sha256
from data_gen.atomic import write_atomically
from data_gen.registration import twin_id


@dataclass(frozen=True)
class ZooAddConfig:
    """Add one policy to a zoo."""

    policy: Path  # path without suffix
    name: str  # what it is called there
    zoo: Path  # the zoo's folder, which has a manifest.json
    role: Role = "dreamer"
    episodes: int = 100
    first_seed: int | None = None  # None: that of the zoo's other policies, so that all have played the same games


def add_to_zoo(config: ZooAddConfig) -> None:
    """Score the policy in the real game, then write it and its line of the manifest, the manifest last."""
    file = config.zoo / "manifest.json"
    if not file.is_file():
        raise FileNotFoundError(f"no zoo at {config.zoo}: it has no manifest.json; zoo-build makes one")
    manifest = json.loads(file.read_bytes())
    others = [each for each in manifest["policies"] if (each["name"], each["role"]) != (config.name, config.role)]
    if config.name in {each["name"] for each in others}:
        raise ValueError(f"name is {config.name!r}, which is another policy in {file}; choose one that is free")
    env = twin_id(manifest["game"])
    first_seed = _random(others)["score"]["seeds"][0] if config.first_seed is None else config.first_seed
    score = evaluate(load_policy(config.policy), env, config.episodes, first_seed, progress=True)
    save_policy(config.zoo / config.name, read_record(config.policy), load_weights(config.policy))
    manifest["policies"] = sorted([*others, _entry(config, score, others)], key=_mean)
    write_atomically(file, (json.dumps(manifest, indent=1) + "\n").encode())


def _entry(config: ZooAddConfig, score: Score, others: list[dict[str, Any]]) -> dict[str, Any]:
    worst = _mean(_random(others))
    best = max(_mean(each) for each in others if each["role"] == "zoo")
    return {
        "name": config.name,
        "role": config.role,
        "held_out": False,
        "sha256": record_sha256(config.zoo / config.name),
        "score": score.to_dict(),
        "normalised": round((score.mean - worst) / (best - worst), 4),
    }


def _random(others: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in others if each["name"] == "random")


def _mean(entry: dict[str, Any]) -> float:
    mean: float = entry["score"]["mean_return"]
    return mean
