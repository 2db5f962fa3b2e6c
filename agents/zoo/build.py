"""Make a zoo: choose graded policies of training runs, score each as it is shipped, write the manifest.

neural-env agent zoo-build --recipe recipes/pong_zoo.json --runs runs --out agents/zoo/pong --episodes 100
"""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from agents.evaluate import Score, evaluate
from agents.policy_file import PolicyRecord, load_policy, load_weights, read_record, save_policy
from agents.zoo import record_sha256
from data_gen.atomic import write_atomically
from data_gen.die_with_parent import die_with_parent
from data_gen.games import game
from data_gen.registration import twin_id
from world_model.training.allocator import one_thread


@dataclass(frozen=True)
class ZooBuildConfig:
    """Build the zoo that a recipe describes."""

    recipe: Path  # JSON: the game, and for each policy its origin and role
    runs: Path  # folder with the training runs that the recipe names
    out: Path
    episodes: int = 100
    first_seed: int = 20_000_000
    workers: int = 2


def build_zoo(config: ZooBuildConfig) -> None:
    """Write the policies and their manifest; a policy scored before with the same settings is not played again."""
    recipe = json.loads(config.recipe.read_text())
    env, name = twin_id(recipe["game"]), recipe["game"]
    for each in recipe["policies"]:
        _write(each, config, game(name).num_actions)
    names = [each["name"] for each in recipe["policies"]]
    with ProcessPoolExecutor(config.workers, get_context("spawn"), _begin_worker) as pool:
        score = partial(_scored, config, env)
        scores = dict(zip(names, tqdm(pool.map(score, names), total=len(names), unit="policy"), strict=True))
    entries = [_entry(each, config.out, scores) for each in recipe["policies"]]
    entries.sort(key=lambda entry: entry["score"]["mean_return"])
    manifest = {"game": name, "normalised": "(return - random) / (best - random)", "policies": entries}
    write_atomically(config.out / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())


def _write(each: dict[str, Any], config: ZooBuildConfig, num_actions: int) -> None:
    """One policy file: a scripted one, or a graded policy of a run with the recipe's changes."""
    changes: dict[str, Any] = dict(each.get("changes", {}))
    if "actions" in changes:
        changes["actions"] = tuple(changes["actions"])
    if "from" not in each:
        save_policy(config.out / each["name"], PolicyRecord(num_actions=num_actions, **changes))
        return
    origin = config.runs / each["from"]
    save_policy(config.out / each["name"], dataclasses.replace(read_record(origin), **changes), load_weights(origin))


def _begin_worker() -> None:
    die_with_parent()
    one_thread()


def _scored(config: ZooBuildConfig, env: str, name: str) -> Score:
    path = config.out / name
    kept = config.runs / "scores" / f"{record_sha256(path)[:16]}-{config.first_seed}-{config.episodes}.json"
    if kept.exists():
        plain = json.loads(kept.read_text())
        return Score(plain["env"], tuple(plain["seeds"]), tuple(plain["returns"]), tuple(plain["lengths"]))
    score = evaluate(load_policy(path), env, config.episodes, config.first_seed)
    kept.parent.mkdir(exist_ok=True)
    write_atomically(kept, json.dumps(dataclasses.asdict(score)).encode())
    return score


def _entry(each: dict[str, Any], out: Path, scores: dict[str, Score]) -> dict[str, Any]:
    means = {name: score.mean for name, score in scores.items()}
    worst, best = means["random"], max(means.values())
    return {
        "name": each["name"],
        "role": each.get("role", "zoo"),
        "held_out": each.get("held_out", False),
        "sha256": record_sha256(out / each["name"]),
        "score": scores[each["name"]].to_dict(),
        "normalised": round((means[each["name"]] - worst) / (best - worst), 4),
    }
