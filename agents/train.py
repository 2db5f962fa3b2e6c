"""Train PPO or DQN on any id: graded policies on the way, a state to resume from, JSONL and TensorBoard beside.

    neural-env agent train --env Real/Pong-v0 --out runs/pong --steps 1000000 --algo ppo
    neural-env agent train --env Dream/Pong-v0 --out runs/dreamt --steps 1000000 --dream.start anywhere

A run folder holds `config.json`, `progress.jsonl`, `policies/step_<n>.{json,safetensors}` with each one's evaluation,
`state.pt` (weights, optimizer, counters) and `tensorboard/`. An agent that learns in a dream is judged there and in the
real game; what came of it is in `judgement.json` and `judgement.png`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack

from agents.algorithms import DQNConfig, PPOConfig, make_agent
from agents.checkpoint import load_state
from agents.export import start_from
from agents.graded_policies import GradedPolicies, GradingConfig
from agents.judgement import judge
from agents.lanes import dreamt_lanes, single_lanes
from agents.lanes_side_by_side import LanesSideBySide
from agents.network import FrameNetworkConfig
from agents.policy_file import read_record
from agents.run_folder import RunFolder
from agents.run_logger import run_logger
from agents.scaled_rewards import ScaledRewards
from agents.view import View
from agents.zoo import resolve
from data_gen.live_recording import LiveRecorder, publish_live, refuse_foreign
from data_gen.registration import twin_id
from data_gen.spec import GameSpec
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from neural_env.registration import is_dream
from world_model.training.allocator import keep_freed_memory


@dataclass(frozen=True)
class TrainConfig:
    """One training run of one agent."""

    out: Path  # run folder
    env: str = "Real/Pong-v0"
    dream: DreamOptions = field(default_factory=DreamOptions)  # how it is dreamed, if it is a dream
    real_lanes: int = 0  # of a dream's lanes, those in which the real game is played instead
    reward_scale: float = 1.0  # it learns from rewards times this; returns should be some ones or tens, not hundreds
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    steps: int = 1_000_000  # environment steps, all lanes together
    seed: int = 0
    processes: bool = False  # step each lane in a process of its own
    evaluate_every: int = 100_000  # steps between graded policies
    evaluate_episodes: int = 5
    evaluate_steps: int | None = None  # at most, of a dreamt game: in a poor world some never end
    save_every: int = 25_000  # steps between states to go on from, beside those at graded policies
    init: Path | None = None  # policy to go on from: zoo/<name>, or a path without suffix
    record: Path | None = None  # also write every episode that is played into this recording
    resume: bool = False  # continue the run in `out`
    threads: int | None = None  # torch threads
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)

    def __post_init__(self) -> None:
        if not 0 < self.reward_scale < math.inf:
            raise ValueError(f"reward_scale is {self.reward_scale}; expected more than 0, and finite")
        if self.evaluate_steps is not None and self.evaluate_steps < 1:
            raise ValueError(f"evaluate_steps is {self.evaluate_steps}; expected at least 1")
        if self.save_every < 1:
            raise ValueError(f"save_every is {self.save_every}; expected at least 1")


def train(config: TrainConfig) -> None:
    """Run or resume one training run."""
    keep_freed_memory()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    folder = RunFolder(config.out)
    folder.refuse_conflict(_plain(config))
    real = real_id(config)
    if config.record is not None:
        if real != config.env and not config.real_lanes:
            raise ValueError(
                "--record records what is played in real lanes; with a dream, ask for some by --real-lanes"
            )
        game_of(real)  # now rather than after hours of training
        refuse_foreign(config.record, goes_on=config.resume)
    envs = make_lanes(config)
    try:
        agent = make_agent(config.algo, envs, config.network, config.steps, config.seed)
        if config.init is not None and not config.resume:
            start_from(agent, _origin(config.init, real))
        if config.resume:
            load_state(folder.state, agent)
        folder.begin(_plain(config))  # only now: a mistake in the settings leaves nothing behind
        _learn(agent, config, real, folder)
    finally:
        envs.close()
    if config.record is not None:
        publish_live(config.record, game_of(real), {"agent": _plain(config)})
    if real != config.env:
        judge(folder)


def _learn(agent: BaseAlgorithm, config: TrainConfig, real: str, folder: RunFolder) -> None:
    logger = run_logger(config.out)
    agent.set_logger(logger)
    try:
        remaining = max(config.steps - agent.num_timesteps, 0)  # none: one that was stopped in its last judging
        agent.learn(remaining, _grading(config, real, folder), reset_num_timesteps=False)
    finally:
        logger.close()


def _grading(config: TrainConfig, real: str, folder: RunFolder) -> GradedPolicies:
    training = {
        "seed": config.seed,
        "algo": dataclasses.asdict(config.algo),
        "reward_scale": config.reward_scale,
        "init": read_record(_origin(config.init, real)).training if config.init is not None else None,
    }
    every, episodes, saving = config.evaluate_every, config.evaluate_episodes, config.save_every
    dreamt = None
    if real != config.env:
        # Whole games as they are shipped, whatever short or odd ones it learned from.
        dreamt = (config.env, config.dream.whole_games(config.evaluate_steps).given())
        options = {**config.dream.given(), "digest": Dream(_options(config)).shared.digest}
        training |= {"dream": options, "real_lanes": config.real_lanes}
    grading = GradingConfig(config.env, real, dreamt, every, episodes, saving, config.steps, config.network, training)
    return GradedPolicies(grading, folder)


def real_id(config: TrainConfig) -> str:
    """The real game that decides how good the agent is: the environment itself, or the twin of what is dreamed."""
    if is_dream(gymnasium.spec(config.env)):
        real = twin_id(Dream(_options(config)).game.name)
        gymnasium.spec(real)  # an error that tells of register_game, if it is nowhere
        if not 0 <= config.real_lanes < config.algo.lanes:
            raise ValueError(f"--real-lanes is {config.real_lanes}; expected fewer than the {config.algo.lanes} lanes")
        return real
    if config.dream != DreamOptions() or config.real_lanes:
        raise ValueError(f"{config.env} is no dream: --dream.* and --real-lanes say nothing about it; leave them out")
    return config.env


def _options(config: TrainConfig) -> DreamOptions:
    """All that is known of the dream: what its id says, beneath what was asked for."""
    return DreamOptions.of({**gymnasium.spec(config.env).kwargs, **config.dream.given()})


def _origin(init: Path, real: str) -> Path:
    """Where the policy to go on from is; of the zoo of the game that is played, if it is one of a zoo."""
    return resolve(init.as_posix(), game_of(real).name) if init.is_relative_to("zoo") else init


def game_of(env: str) -> GameSpec:
    """The game behind a twin's id."""
    kwargs = gymnasium.spec(env).kwargs
    if "game" not in kwargs:
        raise ValueError(f"{env} is not the twin of a game; only Real/<Game>-v0 can be recorded, or has a zoo")
    return GameSpec.from_dict(kwargs["game"])


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The config in JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return plain


def make_lanes(config: TrainConfig) -> VecEnv:
    """The lanes as SB3 wants them: gray, stacked, monitored, in this process or in several."""
    view, lanes = View(size=config.network.size, stack=config.network.stack), config.algo.lanes
    real = real_id(config)
    if real == config.env:
        envs = _real_lanes(config, real, lanes, view)
    else:
        envs = dreamt_lanes(config.env, lanes - config.real_lanes, view, config.dream.given())
        if config.real_lanes:
            envs = LanesSideBySide([envs, _real_lanes(config, real, config.real_lanes, view)])
    envs.seed(config.seed)
    if config.reward_scale != 1:
        envs = ScaledRewards(envs, config.reward_scale)
    return VecFrameStack(envs, view.stack, channels_order="first")


def _real_lanes(config: TrainConfig, real: str, lanes: int, view: View) -> VecEnv:
    spec = gymnasium.spec(real)  # travels whole, so that a worker need not know a user's game

    def make(lane: int) -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(spec)
        if config.record is not None:
            return LiveRecorder(
                env, config.record, f"{config.algo.name} seed {config.seed} while it learns", lane, lanes
            )
        return env

    return single_lanes(make, lanes, view, config.processes)
