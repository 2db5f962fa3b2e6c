"""One run of one arm: train it, or go on where it was stopped, and score what it became in the real game."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from agents.algorithms import DQNConfig, PPOConfig
from agents.clone import CloneConfig, clone
from agents.evaluate import evaluate
from agents.frozen import FrozenPolicy
from agents.network import FrameNetworkConfig
from agents.policy_file import load_policy, read_record
from agents.train import TrainConfig, train
from agents.view import View
from data_gen.atomic import write_atomically
from data_gen.policy import Policy
from data_gen.recording import Recording, summed_steps
from evaluation.transfer.outcome import Arm, Stage, Trained
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from world_model.plain_config import from_plain, read_json, to_plain


class Unready(ValueError):
    """An arm that cannot be run."""


@dataclass(frozen=True)
class Setting:
    """What all runs have in common."""

    out: Path
    dream_id: str
    real_id: str
    data: Path | None
    real_steps: int | None  # that the world has learned from
    steps: int
    episodes: int
    dream: DreamOptions
    algo: PPOConfig | DQNConfig
    settings: str
    network: FrameNetworkConfig
    judged: int
    judged_episodes: int
    first_seed: int
    clone_steps: int

    def require(self, arm: Arm) -> None:
        """An error now rather than after hours, if an arm cannot be run."""
        if arm in ("matched", "clone") and not self.real_steps:
            raise Unready(f"{self.data} has no steps to learn from; the arm {arm!r} needs the world's recording")

    def folder(self, arm: Arm, seed: int) -> Path:
        """Of one run."""
        return self.out / f"{arm}-{seed}"


def real_steps_in(data: Path) -> int:
    """The steps of a recording that worlds learn from."""
    return summed_steps(Recording.open(data).entries("train"))


def dreamt_world(setting: Setting) -> str:
    """The digest of the world that the dream is of."""
    options = {**gymnasium.spec(setting.dream_id).kwargs, **setting.dream.given()}
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
    """What a score depends on beside the run itself, in JSON types."""
    about = {
        "episodes": setting.episodes,
        "first_seed": setting.first_seed,
        "steps": setting.steps,
        "real_steps": setting.real_steps,
        "algo": to_plain(setting.algo),
        "network": to_plain(setting.network),
        "judged": [setting.judged, setting.judged_episodes],
        "clone_steps": setting.clone_steps,
    }
    return about | ({"world": dreamt_world(setting), "dream": setting.dream.given()} if arm == "dream" else {})


def _agent(setting: Setting, arm: Arm, seed: int) -> Trained:
    """An agent that plays while it learns."""
    folder = setting.folder(arm, seed)
    steps = setting.real_steps if arm == "matched" else setting.steps
    assert steps is not None
    config = TrainConfig(
        out=folder,
        env=setting.dream_id if arm == "dream" else setting.real_id,
        algo=setting.algo,
        steps=steps,
        seed=seed,
        evaluate_every=max(1, -(-steps // setting.judged)),
        evaluate_episodes=setting.judged_episodes,
        resume=(folder / "state.pt").is_file(),
        network=setting.network,
    )
    if arm == "dream":
        config = dataclasses.replace(config, dream=setting.dream)
    train(config)
    policies = sorted(file.with_suffix("") for file in (folder / "policies").glob("*.json"))
    curve = tuple(map(_stage, policies))
    returns = _scored(setting, load_policy(policies[-1]), seed)
    chosen: tuple[float, ...] = ()
    if arm == "dream":
        best = max(range(len(curve)), key=lambda place: curve[place].dreamt or 0.0)
        chosen = returns if best == len(curve) - 1 else _scored(setting, load_policy(policies[best]), seed)
    return Trained(arm, seed, steps, returns, chosen, curve)


def _clone(setting: Setting, arm: Arm, seed: int) -> Trained:
    assert setting.data is not None
    folder = setting.folder(arm, seed)
    usual = CloneConfig(setting.data, folder, network=setting.network, episodes=0)
    fit = dataclasses.replace(usual.fit, seed=seed, steps=setting.clone_steps)
    clone(dataclasses.replace(usual, fit=fit))
    assert setting.real_steps is not None
    return Trained(arm, seed, setting.real_steps, _scored(setting, load_policy(folder / "policy"), seed), (), ())


def _random(setting: Setting, arm: Arm, seed: int) -> Trained:
    env = gymnasium.make(setting.real_id)
    policy = FrozenPolicy(int(env.action_space.n), View())  # type: ignore[attr-defined]
    env.close()
    return Trained(arm, seed, 0, _scored(setting, policy, seed), (), ())


_RUNS = {"dream": _agent, "real": _agent, "matched": _agent, "clone": _clone, "random": _random}


def _scored(setting: Setting, policy: Policy, seed: int) -> tuple[float, ...]:
    """Other games for every seed of training."""
    return evaluate(policy, setting.real_id, setting.episodes, setting.first_seed + seed * setting.episodes).returns


def _stage(policy: Path) -> Stage:
    training = read_record(policy).training
    dreamt = training.get("evaluation_in_dream")
    real = training["evaluation"]["mean_return"]
    return Stage(training["steps"], real, None if dreamt is None else dreamt["mean_return"])
