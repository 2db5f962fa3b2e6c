"""Train PPO or DQN on any id: graded policies on the way, a state to resume from, JSONL and TensorBoard beside.

    neural-env agent train --env Real/Pong-v0 --out runs/pong --steps 1000000 --algo ppo

A run folder holds `config.json`, `progress.jsonl`, `policies/step_<n>.{json,safetensors}` with each one's evaluation,
`state.pt` (weights, optimizer, counters) and `tensorboard/`. Knows nothing of where an id comes from.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecFrameStack

from agents.algorithms import DQNConfig, PPOConfig, make_agent
from agents.checkpoint import load_state
from agents.export import start_from
from agents.graded_policies import GradedPolicies, GradingConfig
from agents.network import FrameNetworkConfig
from agents.policy_file import read_record
from agents.run_folder import RunFolder
from agents.run_logger import run_logger
from agents.view import AgentView, View
from data_gen.live_recording import LiveRecorder, publish_live, refuse_foreign
from data_gen.spec import GameSpec
from world_model.training.allocator import keep_freed_memory


@dataclass(frozen=True)
class TrainConfig:
    """One training run of one agent."""

    out: Path  # run folder
    env: str = "Real/Pong-v0"
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    steps: int = 1_000_000  # environment steps, all lanes together
    seed: int = 0
    processes: bool = False  # step each lane in a process of its own
    evaluate_every: int = 100_000  # steps between graded policies
    evaluate_episodes: int = 5
    init: Path | None = None  # policy to go on from
    record: Path | None = None  # also write every episode that is played into this recording
    resume: bool = False  # continue the run in `out`
    threads: int | None = None  # torch threads
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)


def train(config: TrainConfig) -> None:
    """Run or resume one training run."""
    keep_freed_memory()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    folder = RunFolder(config.out)
    folder.refuse_conflict(_plain(config))
    if config.record is not None:
        game_of(config.env)  # now rather than after hours of training
        refuse_foreign(config.record, goes_on=config.resume)
    envs = make_lanes(config)
    try:
        agent = make_agent(config.algo, envs, config.network, config.steps, config.seed)
        if config.init is not None and not config.resume:
            start_from(agent, config.init)
        if config.resume:
            load_state(folder.state, agent)
        folder.begin(_plain(config))  # only now: a mistake in the settings leaves nothing behind
        _learn(agent, config, folder)
    finally:
        envs.close()
    if config.record is not None:
        publish_live(config.record, game_of(config.env), {"agent": _plain(config)})


def _learn(agent: BaseAlgorithm, config: TrainConfig, folder: RunFolder) -> None:
    logger = run_logger(config.out)
    agent.set_logger(logger)
    try:
        remaining = config.steps - agent.num_timesteps
        if remaining > 0:
            agent.learn(remaining, _grading(config, folder), reset_num_timesteps=False)
    finally:
        logger.close()


def _grading(config: TrainConfig, folder: RunFolder) -> GradedPolicies:
    training = {
        "seed": config.seed,
        "algo": dataclasses.asdict(config.algo),
        "init": read_record(config.init).training if config.init is not None else None,
    }
    every, episodes = config.evaluate_every, config.evaluate_episodes
    return GradedPolicies(GradingConfig(config.env, every, episodes, config.steps, config.network, training), folder)


def game_of(env: str) -> GameSpec:
    """The game behind a twin's id."""
    kwargs = gymnasium.spec(env).kwargs
    if "game" not in kwargs:
        raise ValueError(f"{env} is not the twin of a game; only Real/<Game>-v0 can be recorded")
    return GameSpec.from_dict(kwargs["game"])


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The config in JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return plain


def make_lanes(config: TrainConfig) -> VecEnv:
    """The lanes as SB3 wants them: gray, stacked, monitored, in this process or in several."""
    view = View(size=config.network.size, stack=config.network.stack)
    spec = gymnasium.spec(config.env)  # travels whole, so that a worker need not know a user's game

    def make_lane(lane: int) -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(spec)
        if config.record is not None:
            policy = f"{config.algo.name} seed {config.seed} while it learns"
            env = LiveRecorder(env, config.record, policy, lane, config.algo.lanes)
        return Monitor(AgentView(env, view))

    lanes = [partial(make_lane, lane) for lane in range(config.algo.lanes)]
    envs: VecEnv = SubprocVecEnv(lanes, start_method="forkserver") if config.processes else DummyVecEnv(lanes)  # type: ignore[arg-type]
    envs.seed(config.seed)
    return VecFrameStack(envs, view.stack, channels_order="first")
