"""The stage `neural-env bench training`: how fast an agent trains in a dream, against the same training in the game.

    neural-env bench training --env Dream/Pong-v0

The same algorithm with the same settings takes turns in both, so that whatever else the machine does meets both. The
time of a step is split into simulator (all that `step` of the lanes costs, pictures included), policy (choosing
actions, keeping what was seen) and update.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from tqdm import tqdm

from agents.algorithms import DQNConfig, PPOConfig, make_agent
from agents.network import FrameNetworkConfig
from agents.train import TrainConfig, make_lanes, real_id
from neural_env.dream_options import DreamOptions
from world_model.training.allocator import keep_freed_memory


@dataclass(frozen=True)
class BenchTrainingConfig:
    """Measure training in a dream against training in its game."""

    env: str = "Dream/Pong-v0"
    dream: DreamOptions = field(default_factory=DreamOptions)  # how it is dreamed
    algo: PPOConfig | DQNConfig = field(default_factory=PPOConfig)
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)
    turns: int = 5
    steps: int = 2048  # of all lanes together, in a turn


@dataclass(frozen=True)
class Turn:
    """Where the seconds of some steps went."""

    steps: int
    simulator: float
    policy: float
    update: float

    @property
    def rate(self) -> float:
        """Steps a second, end to end."""
        return self.steps / (self.simulator + self.policy + self.update)


def bench_training(config: BenchTrainingConfig) -> None:
    """Print both rates, their ratio and where the time went."""
    keep_freed_memory()
    turns = measure_training(config)
    print(f"{config.algo.name} with {config.algo.lanes} lanes, medians of {config.turns} turns")
    print(f"{'':<24}{'steps/s':>10}{'simulator':>12}{'policy':>10}{'update':>10}   ms a step")
    for env, own in turns.items():
        parts = [
            statistics.median(1000 * getattr(turn, name) / turn.steps for turn in own)
            for name in ("simulator", "policy", "update")
        ]
        rate = statistics.median(turn.rate for turn in own)
        print(f"{env:<24}{rate:>10.0f}{parts[0]:>12.2f}{parts[1]:>10.2f}{parts[2]:>10.2f}")
    dream, real = turns.values()
    ratios = [one.rate / other.rate for one, other in zip(dream, real, strict=True)]
    print(f"dream over game: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def measure_training(config: BenchTrainingConfig) -> dict[str, list[Turn]]:
    """The turns in the dream and in the game, by id; a first one of each is not counted."""
    in_dream = TrainConfig(
        out=Path(), env=config.env, dream=config.dream, algo=config.algo, network=config.network, steps=1 << 30
    )
    in_game = replace(in_dream, env=real_id(in_dream), dream=DreamOptions())
    with _learner(in_dream) as dreaming, _learner(in_game) as playing:
        learners = {config.env: dreaming, in_game.env: playing}
        for learner in learners.values():
            learner.turn(config.steps)
        turns: dict[str, list[Turn]] = {env: [] for env in learners}
        for _ in tqdm(range(config.turns), desc="turns", unit="turn"):
            for env, learner in learners.items():
                turns[env].append(learner.turn(config.steps))
    return turns


class _Learner:
    """An agent with its lanes, both watched."""

    def __init__(self, agent: BaseAlgorithm, lanes: _TimedLanes) -> None:
        self._agent, self._lanes = agent, lanes

    def turn(self, steps: int) -> Turn:
        """Learn for at least so many steps."""
        before, watch = self._agent.num_timesteps, _Rollouts()
        self._lanes.seconds = 0.0
        began = time.perf_counter()
        self._agent.learn(steps, watch, reset_num_timesteps=False)
        whole = time.perf_counter() - began
        simulator = self._lanes.seconds
        done = self._agent.num_timesteps - before
        return Turn(done, simulator, watch.seconds - simulator, whole - watch.seconds)


@contextmanager
def _learner(config: TrainConfig) -> Iterator[_Learner]:
    lanes = _TimedLanes(make_lanes(config))
    try:
        yield _Learner(make_agent(config.algo, lanes, config.network, config.steps, config.seed), lanes)
    finally:
        lanes.close()


class _TimedLanes(VecEnvWrapper):
    """Lanes that know how long their steps took."""

    def __init__(self, lanes: VecEnv) -> None:
        super().__init__(lanes)
        self.seconds = 0.0

    def reset(self) -> VecEnvObs:
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        began = time.perf_counter()
        step = self.venv.step_wait()
        self.seconds += time.perf_counter() - began
        return step


class _Rollouts(BaseCallback):
    """How long the agent played; the rest of the time it learned."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def _on_rollout_start(self) -> None:
        self._began = time.perf_counter()

    def _on_rollout_end(self) -> None:
        self.seconds += time.perf_counter() - self._began

    def _on_step(self) -> bool:
        return True
