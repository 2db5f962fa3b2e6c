"""PPO and DQN with our network, on SB3: their settings, and a fresh agent from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.network import FrameFeatures, FrameNetworkConfig


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation.

    Many lanes with short rollouts: a dream is 1.8 times as fast in 64 lanes as in 8. What they reach in the real game
    is in `recipes/README.md`.
    """

    lanes: int = 64
    rollout: int = 32  # steps a lane between updates
    batch: int = 256
    epochs: int = 4
    learning_rate: float = 1e-3  # falls to zero over the run
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
    first_epsilon: float = 1.0  # a policy to go on from is soon forgotten over random play: 0.1 keeps it
    explore_steps: int = 60_000  # steps over which epsilon falls
    final_epsilon: float = 0.02

    name: Literal["dqn"] = "dqn"


def make_agent(
    algo: PPOConfig | DQNConfig, envs: VecEnv, network: FrameNetworkConfig, steps: int, seed: int
) -> BaseAlgorithm:
    """A fresh agent for these lanes, to be trained for so many steps."""
    policy_kwargs = {
        "features_extractor_class": FrameFeatures,
        "features_extractor_kwargs": {"config": network},
        "net_arch": [],
    }
    agent = (
        _make_ppo(algo, envs, policy_kwargs, seed)
        if isinstance(algo, PPOConfig)
        else _make_dqn(algo, envs, policy_kwargs, steps, seed)
    )
    # SB3's orthogonal start needs plain weights; from here on the convolutions like channels last.
    agent.policy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return agent


def _make_ppo(algo: PPOConfig, envs: VecEnv, policy_kwargs: dict[str, Any], seed: int) -> PPO:
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
        seed=seed,
    )


def _make_dqn(algo: DQNConfig, envs: VecEnv, policy_kwargs: dict[str, Any], steps: int, seed: int) -> DQN:
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
        exploration_fraction=min(1.0, algo.explore_steps / steps),
        exploration_initial_eps=algo.first_epsilon,
        exploration_final_eps=algo.final_epsilon,
        policy_kwargs=policy_kwargs,
        seed=seed,
    )
