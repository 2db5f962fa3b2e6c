"""Train PPO or DQN on any id: graded policies on the way, a state to resume from, JSONL and TensorBoard beside.

    neural-env agent train --env Real/Pong-v0 --out runs/pong --steps 1000000 --algo ppo

A run folder holds `config.json`, `progress.jsonl`, `policies/step_<n>.{json,safetensors}` with each one's evaluation,
`state.pt` (weights, optimizer, counters) and `tensorboard/`. Knows nothing of where an id comes from.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gymnasium
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecFrameStack
from tqdm import tqdm

from agents.allocator import keep_freed_memory
from agents.checkpoint import load_state, save_state
from agents.evaluate import evaluate
from agents.export import export_policy, start_from
from agents.network import FrameFeatures, FrameNetworkConfig
from agents.policy_file import load_policy, read_record
from agents.run_logger import run_logger
from agents.view import AgentView, View
from data_gen.atomic import write_atomically
from data_gen.live_recording import LiveRecorder, publish_live
from data_gen.spec import GameSpec

# Far from the seeds that anyone would pass for training or recording.
_EVALUATION_SEED = 10_000_000


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation; the values are those that did best in the real Pong per CPU hour."""

    lanes: int = 8
    rollout: int = 128  # steps a lane between updates
    batch: int = 256
    epochs: int = 4
    learning_rate: float = 2.5e-3  # falls to zero over the run
    clip: float = 0.1
    gamma: float = 0.99
    gae_lambda: float = 0.95
    entropy: float = 0.01
    value: float = 0.5

    name: Literal["ppo"] = "ppo"


@dataclass(frozen=True)
class DQNConfig:
    """Deep Q-learning."""

    lanes: int = 8
    buffer: int = 100_000  # transitions; 56 kB each
    batch: int = 64
    updates: int = 1  # gradient steps per step of all lanes
    returns: int = 3  # steps of real reward before the network's own estimate
    learning_rate: float = 5e-4
    gamma: float = 0.99
    warmup: int = 10_000  # steps before the first update
    target_every: int = 2_000  # steps between copies to the target network
    explore_steps: int = 60_000  # steps over which epsilon falls
    final_epsilon: float = 0.02

    name: Literal["dqn"] = "dqn"


@dataclass(frozen=True)
class TrainConfig:
    """One training run of one agent."""

    out: Path  # run folder
    env: str = "Real/Pong-v0"
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    steps: int = 1_000_000  # environment steps, all lanes together
    seed: int = 0
    workers: int = 0  # processes for the lanes; 0 steps them in this one
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
    folder.refuse_conflict(config)
    envs = make_lanes(config)
    try:
        agent = make_agent(config, envs)
        if config.init is not None and not config.resume:
            start_from(agent, config.init)
        if config.resume:
            load_state(folder.state, agent)
        folder.begin(config)  # only now: a mistake in the settings leaves nothing behind
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
            agent.learn(remaining, GradedPolicies(config, folder), reset_num_timesteps=False, progress_bar=False)
    finally:
        logger.close()


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


class RunFolder:
    """Where a run keeps its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state.pt"
        self.policies = root / "policies"

    def refuse_conflict(self, config: TrainConfig) -> None:
        """Refuse to write over a run, or to resume a different one."""
        file = self.root / "config.json"
        if config.resume:
            self._require_same(file, _plain(config))
        elif file.exists():
            raise FileExistsError(
                f"{self.root} already holds a run; add --resume to continue it, or choose another --out"
            )

    def begin(self, config: TrainConfig) -> None:
        """Write down what this run is."""
        self.root.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_plain(config), indent=1, sort_keys=True) + "\n"
        write_atomically(self.root / "config.json", text.encode())

    def _require_same(self, file: Path, wanted: dict[str, Any]) -> None:
        if not file.exists():
            raise FileNotFoundError(f"no run to resume in {self.root}: {file} is missing")
        free = {"resume", "out", "steps", "threads", "workers"}  # these may change without changing what is learned
        before = json.loads(file.read_text())
        if changed := [key for key in wanted if key not in free and wanted[key] != before.get(key)]:
            raise ValueError(f"{file} was begun with another {', '.join(changed)}; resume with the same settings")


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
    envs: VecEnv = SubprocVecEnv(lanes, start_method="forkserver") if config.workers else DummyVecEnv(lanes)  # type: ignore[arg-type]
    envs.seed(config.seed)
    return VecFrameStack(envs, view.stack, channels_order="first")


def make_agent(config: TrainConfig, envs: VecEnv) -> BaseAlgorithm:
    """A fresh agent for these lanes."""
    policy_kwargs = {
        "features_extractor_class": FrameFeatures,
        "features_extractor_kwargs": {"config": config.network},
        "net_arch": [],
    }
    agent = (
        _make_ppo(config.algo, config, envs, policy_kwargs)
        if isinstance(config.algo, PPOConfig)
        else _make_dqn(config.algo, config, envs, policy_kwargs)
    )
    # SB3's orthogonal start needs plain weights; from here on the convolutions like channels last.
    agent.policy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return agent


def _make_ppo(algo: PPOConfig, config: TrainConfig, envs: VecEnv, policy_kwargs: dict[str, Any]) -> PPO:
    return PPO(
        "CnnPolicy",
        envs,
        learning_rate=lambda remaining: algo.learning_rate * max(remaining, 0.0),
        n_steps=algo.rollout,
        batch_size=algo.batch,
        n_epochs=algo.epochs,
        gamma=algo.gamma,
        gae_lambda=algo.gae_lambda,
        clip_range=algo.clip,
        ent_coef=algo.entropy,
        vf_coef=algo.value,
        policy_kwargs=policy_kwargs,
        seed=config.seed,
    )


def _make_dqn(algo: DQNConfig, config: TrainConfig, envs: VecEnv, policy_kwargs: dict[str, Any]) -> DQN:
    return DQN(
        "CnnPolicy",
        envs,
        learning_rate=algo.learning_rate,
        buffer_size=algo.buffer,
        learning_starts=algo.warmup,
        batch_size=algo.batch,
        gamma=algo.gamma,
        train_freq=1,
        gradient_steps=algo.updates,
        n_steps=algo.returns,
        target_update_interval=algo.target_every,
        exploration_fraction=min(1.0, algo.explore_steps / config.steps),
        exploration_final_eps=algo.final_epsilon,
        policy_kwargs=policy_kwargs,
        seed=config.seed,
    )


class GradedPolicies(BaseCallback):
    """Every `evaluate_every` steps: keep the policy with its score, and a state to resume from."""

    def __init__(self, config: TrainConfig, folder: RunFolder) -> None:
        super().__init__()
        self._config = config
        self._folder = folder
        self._began = time.monotonic()

    def _on_training_start(self) -> None:
        self._next = (self.num_timesteps // self._config.evaluate_every + 1) * self._config.evaluate_every
        self._bar = tqdm(total=self._config.steps, initial=self.num_timesteps, unit="step", desc=str(self._folder.root))

    def _on_step(self) -> bool:
        self._bar.update(self.num_timesteps - self._bar.n)
        if self.num_timesteps >= self._next:
            self._next += self._config.evaluate_every
            self._grade()
        return True

    def _on_training_end(self) -> None:
        self._grade()
        self._bar.close()

    def _grade(self) -> None:
        """Score what will be on disk: the half-precision policy, loaded back."""
        config, path = self._config, self._folder.policies / f"step_{self.num_timesteps:08d}"
        training = {
            "env": config.env,
            "seed": config.seed,
            "steps": self.num_timesteps,
            "algo": dataclasses.asdict(config.algo),
            "init": read_record(config.init).training if config.init is not None else None,
        }
        export_policy(self.model, path, config.network, training)
        score = evaluate(load_policy(path), config.env, config.evaluate_episodes, first_seed=_EVALUATION_SEED)
        export_policy(self.model, path, config.network, {**training, "evaluation": score.to_dict()})
        save_state(self._folder.state, self.model)
        self._bar.set_postfix(real=f"{score.mean:+.1f}")
        self.logger.record("evaluation/mean_return", score.mean)
        self.logger.dump(self.num_timesteps)
