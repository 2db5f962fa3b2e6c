"""One run of one arm: train it, or go on where it was stopped, and score what it became in the real game."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import gymnasium

from agents.clone import CloneConfig, clone
from agents.evaluate import evaluate
from agents.frozen import FrozenPolicy
from agents.policy_file import load_policy, read_record
from agents.run_folder import RunFolder
from agents.train import TrainConfig, train
from agents.view import View
from data_gen.atomic import write_atomically
from data_gen.policy import Policy
from evaluation.transfer.outcome import Arm, Stage, Trained
from evaluation.transfer.setting import Setting
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from world_model.plain_config import from_plain, read_json, to_plain


def dreamt_world(setting: Setting) -> str:
    """The digest of the world that the dream is of."""
    options = {**gymnasium.spec(setting.dream_id).kwargs, **setting.config.dream.given()}
    return Dream(DreamOptions.of(options)).shared.digest


def run_arm(setting: Setting, arm: Arm, seed: int) -> Trained:
    """One run, from wherever it is; one that is done is recalled."""
    folder = setting.folder(arm, seed)
    file = folder / "scored.json"
    about = _about(setting, arm)
    if file.is_file():
        kept = read_json(file.read_bytes())
        if kept["about"] == about:
            return from_plain(Trained, kept["run"], str(file))
    run = _RUNS[arm](setting, arm, seed)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"about": about, "run": dataclasses.asdict(run)}
    write_atomically(file, (json.dumps(content, indent=1) + "\n").encode())
    return run


def _about(setting: Setting, arm: Arm) -> dict[str, Any]:
    """What this arm's score depends on beside the run itself, in JSON types; what others depend on is not asked."""
    config = setting.config
    about: dict[str, Any] = {"episodes": config.episodes, "first_seed": config.first_seed}
    if arm == "random":
        return about
    about |= {"network": to_plain(config.network)}
    if arm == "clone":
        return about | {"real_steps": setting.real_steps, "clone_steps": setting.clone_steps}
    about |= {
        "steps": _steps(setting, arm),
        "algo": to_plain(config.algo),
        "reward_scale": config.reward_scale,
        "judged": [config.judged, config.judged_episodes],
    }
    if arm != "dream":
        return about
    limit = {} if config.evaluate_steps is None else {"evaluate_steps": config.evaluate_steps}
    return about | {"world": dreamt_world(setting), "dream": config.dream.given(), **limit}


def _steps(setting: Setting, arm: Arm) -> int:
    """That an agent of this arm learns for."""
    steps = setting.real_steps if arm == "matched" else setting.config.steps
    assert steps is not None
    return steps


def _agent(setting: Setting, arm: Arm, seed: int) -> Trained:
    """An agent that plays while it learns."""
    folder, config = setting.folder(arm, seed), setting.config
    steps = _steps(setting, arm)
    training = TrainConfig(
        out=folder,
        env=setting.dream_id if arm == "dream" else setting.real_id,
        algo=config.algo,
        steps=steps,
        seed=seed,
        evaluate_every=max(1, -(-steps // config.judged)),
        evaluate_episodes=config.judged_episodes,
        resume=(folder / "state.pt").is_file(),
        network=config.network,
        reward_scale=config.reward_scale,
    )
    if arm == "dream":
        training = dataclasses.replace(training, dream=config.dream, evaluate_steps=config.evaluate_steps)
    train(training)
    policies = RunFolder(folder).kept()
    curve = tuple(map(_stage, policies))
    last = load_policy(policies[-1])
    returns = _scored(setting, last, seed)
    if arm != "dream":
        return Trained(arm, seed, steps, returns, (), (), curve)
    best = max(range(len(curve)), key=lambda place: curve[place].dreamt or 0.0)
    chosen = returns if best == len(curve) - 1 else _scored(setting, load_policy(policies[best]), seed)
    return Trained(arm, seed, steps, returns, _scored_in_dream(setting, last, seed), chosen, curve)


def _clone(setting: Setting, arm: Arm, seed: int) -> Trained:
    assert setting.data is not None
    folder = setting.folder(arm, seed)
    usual = CloneConfig(setting.data, folder, network=setting.config.network, episodes=0)
    fit = dataclasses.replace(usual.fit, seed=seed, steps=setting.clone_steps)
    clone(dataclasses.replace(usual, fit=fit))
    assert setting.real_steps is not None
    returns = _scored(setting, load_policy(folder / "policy"), seed)
    return Trained(arm, seed, setting.real_steps, returns, (), (), ())


def _random(setting: Setting, arm: Arm, seed: int) -> Trained:
    env = gymnasium.make(setting.real_id)
    policy = FrozenPolicy(int(env.action_space.n), View())  # type: ignore[attr-defined]
    env.close()
    return Trained(arm, seed, 0, _scored(setting, policy, seed), (), (), ())


_DREAMT_AT_ONCE = 64  # a dream is the faster the more lanes it has
_RUNS = {"dream": _agent, "real": _agent, "matched": _agent, "clone": _clone, "random": _random}


def _scored(setting: Setting, policy: Policy, seed: int) -> tuple[float, ...]:
    episodes, first_seed = setting.config.episodes, _first_seed(setting, seed)
    return evaluate(policy, setting.real_id, episodes, first_seed, progress=True).returns


def _scored_in_dream(setting: Setting, policy: Policy, seed: int) -> tuple[float, ...]:
    """Of whole games as they are shipped, at the temperature and so on that it has learned in."""
    options = setting.config.dream.whole_games(setting.config.evaluate_steps).given()
    episodes, first_seed = setting.config.episodes, _first_seed(setting, seed)
    return evaluate(policy, setting.dream_id, episodes, first_seed, _DREAMT_AT_ONCE, progress=True, **options).returns


def _first_seed(setting: Setting, seed: int) -> int:
    """Other games for every seed of training."""
    return setting.config.first_seed + seed * setting.config.episodes


def _stage(policy: Path) -> Stage:
    training = read_record(policy).training
    dreamt = training.get("evaluation_in_dream")
    real = training["evaluation"]["mean_return"]
    return Stage(training["steps"], real, None if dreamt is None else dreamt["mean_return"])
