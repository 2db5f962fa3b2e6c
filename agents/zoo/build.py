"""Make a zoo: choose graded policies of training runs, score each as it is shipped, write the manifest.

neural-env agent zoo-build --recipe recipes/pong_zoo.json --runs runs --out agents/zoo/pong --episodes 100
"""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from agents.evaluate import Score, evaluate
from agents.policy_file import PolicyRecord, load_policy, load_weights, read_record, save_policy
from agents.zoo import Role, record_sha256
from data_gen.atomic import write_atomically
from data_gen.die_with_parent import die_with_parent
from data_gen.games import game
from data_gen.registration import twin_id
from world_model.plain_config import InvalidConfig, from_plain, read_json, to_plain
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


@dataclass(frozen=True)
class Chosen:
    """One policy of a recipe; what a recipe leaves out is as here."""

    name: str
    origin: str | None = None  # a graded policy below the folder of runs; None: a scripted one
    changes: dict[str, Any] = field(default_factory=dict)  # to its record
    role: Role = "zoo"
    held_out: bool = False

    def record(self, before: PolicyRecord) -> PolicyRecord:
        """The policy's record with the changes."""
        unchanged = dataclasses.asdict(before)
        if unknown := sorted(self.changes.keys() - unchanged.keys()):
            raise InvalidConfig(f"policy {self.name!r} changes {', '.join(unknown)}; expected some of {[*unchanged]}")
        actions = tuple(self.changes.get("actions", before.actions))
        return dataclasses.replace(before, **{**self.changes, "actions": actions})


@dataclass(frozen=True)
class Recipe:
    """What a zoo is made of."""

    game: str
    policies: tuple[Chosen, ...]

    def __post_init__(self) -> None:
        names = [each.name for each in self.policies]
        if "random" not in names or len(set(names)) < len(names):
            raise ValueError(f"policies are {names}; expected each once, and 'random', which is the 0 of the scale")


def read_recipe(file: Path) -> Recipe:
    """The recipe in a file."""
    try:
        plain = read_json(file.read_bytes())
        usual = {each.name: to_plain(Chosen(""))[each.name] for each in dataclasses.fields(Chosen)[1:]}
        return from_plain(Recipe, {**plain, "policies": [{**usual, **each} for each in plain["policies"]]})
    except (InvalidConfig, KeyError, TypeError) as fault:
        raise InvalidConfig(f"{file} is no recipe of a zoo: {fault}") from fault


def build_zoo(config: ZooBuildConfig) -> None:
    """Write the policies and their manifest; a policy scored before with the same settings is not played again."""
    recipe = read_recipe(config.recipe)
    env = twin_id(recipe.game)
    for each in recipe.policies:
        _write(each, config, game(recipe.game).num_actions)
    names = [each.name for each in recipe.policies]
    with ProcessPoolExecutor(config.workers, get_context("spawn"), _begin_worker) as pool:
        score = partial(_scored, config, env)
        scores = dict(zip(names, tqdm(pool.map(score, names), total=len(names), unit="policy"), strict=True))
    if max(score.mean for score in scores.values()) == scores["random"].mean:
        raise ValueError(f"none of {', '.join(names)} is better than random play; a zoo needs one, for the scale's 1")
    entries = [_entry(each, config.out, scores) for each in recipe.policies]
    entries.sort(key=lambda entry: entry["score"]["mean_return"])
    manifest = {"game": recipe.game, "normalised": "(return - random) / (best - random)", "policies": entries}
    write_atomically(config.out / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())


def _write(each: Chosen, config: ZooBuildConfig, num_actions: int) -> None:
    """One policy file: a scripted one, or a graded policy of a run with the recipe's changes."""
    if each.origin is None:
        save_policy(config.out / each.name, each.record(PolicyRecord("random", num_actions)))
        return
    origin = config.runs / each.origin
    save_policy(config.out / each.name, each.record(read_record(origin)), load_weights(origin))


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
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, json.dumps(dataclasses.asdict(score)).encode())
    return score


def _entry(each: Chosen, out: Path, scores: dict[str, Score]) -> dict[str, Any]:
    means = {name: score.mean for name, score in scores.items()}
    worst, best = means["random"], max(means.values())
    return {
        "name": each.name,
        "role": each.role,
        "held_out": each.held_out,
        "sha256": record_sha256(out / each.name),
        "score": scores[each.name].to_dict(),
        "normalised": round((means[each.name] - worst) / (best - worst), 4),
    }
