"""PPO in one file, after CleanRL's: for reading, changing, and running on a dream or on the real game.

python examples/ppo.py --env Dream/Pong-v0 --steps 1000000
python examples/ppo.py --env Dream/World-v0 --world runs/pong/world
python examples/ppo.py --env Real/Pong-v0
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
import tyro
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import trange

import neural_env  # noqa: F401  (registers the ids)

_SIDE, _STACK = 84, 4
_LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Config:
    """One run of PPO."""

    env: str = "Dream/Pong-v0"
    world: str | None = None  # for Dream/World-v0: a folder, or hf:organisation/name@revision
    steps: int = 1_000_000  # of all lanes together
    lanes: int = 16
    rollout: int = 128  # steps of a lane between updates
    batch: int = 256
    epochs: int = 4
    learning_rate: float = 2.5e-4  # falls to zero
    gamma: float = 0.99
    gae: float = 0.95
    clip: float = 0.1
    entropy: float = 0.01
    value: float = 0.5
    seed: int = 0


class Agent(nn.Module):
    """The Nature network with a policy and a value."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(_STACK, 32, 8, 4), nn.ReLU(),
            nn.Conv2d(32, 64, 4, 2), nn.ReLU(),
            nn.Conv2d(64, 64, 3, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * 7 * 7, 512), nn.ReLU(),
        )  # fmt: skip
        self.policy, self.value = nn.Linear(512, actions), nn.Linear(512, 1)
        nn.init.orthogonal_(self.policy.weight, 0.01)

    def forward(self, stacks_BSHW: Tensor) -> tuple[torch.distributions.Categorical, Tensor]:
        """Stacks uint8 -> what to do [B], and what it is worth [B]."""
        features = self.features(stacks_BSHW / 255)
        return torch.distributions.Categorical(logits=self.policy(features)), self.value(features).squeeze(-1)


class Stacks:
    """The last frames of every lane, gray."""

    def __init__(self, lanes: int) -> None:
        self.now_BSHW = torch.zeros(lanes, _STACK, _SIDE, _SIDE, dtype=torch.uint8)

    def pushed(self, frames: Any, lanes: Any = slice(None)) -> Tensor:
        """What the stacks of these lanes would be with the next frames."""
        return torch.cat([self.now_BSHW[lanes, 1:], _gray(frames)], dim=1)

    def push(self, frames: Any, begun_B: Any) -> None:
        """Take the next frames; an episode that has just begun has no past."""
        self.now_BSHW[torch.from_numpy(begun_B)] = 0
        self.now_BSHW = self.pushed(frames)


def _gray(frames: Any) -> Tensor:
    gray_B1HW = (torch.from_numpy(np.asarray(frames)).float() @ _LUMA)[:, None]
    return F.interpolate(gray_B1HW, (_SIDE, _SIDE), mode="area").round().to(torch.uint8)


def make(config: Config) -> VectorEnv[Any, Any, Any]:
    """Lanes that begin anew at once, with the return of each episode in `infos`."""
    options = {} if config.world is None else {"world": config.world}
    spec = gymnasium.spec(config.env)
    where = {"autoreset_mode": AutoresetMode.SAME_STEP}
    if spec.vector_entry_point is None:  # the real game: one environment a lane
        envs = gymnasium.make_vec(config.env, config.lanes, "sync", vector_kwargs=where, **options)
    else:
        envs = gymnasium.make_vec(config.env, config.lanes, **where, **options)
    return RecordEpisodeStatistics(envs)


def train(config: Config) -> list[float]:
    """Train, and return the last hundred returns."""
    torch.manual_seed(config.seed)
    envs = make(config)
    agent = Agent(int(envs.single_action_space.n))  # type: ignore[attr-defined]
    optimizer = torch.optim.Adam(agent.parameters(), config.learning_rate, eps=1e-5)
    stacks, returns = Stacks(config.lanes), deque[float](maxlen=100)
    stacks.push(envs.reset(seed=config.seed)[0], np.ones(config.lanes, np.bool_))
    updates = max(1, config.steps // (config.lanes * config.rollout))
    for update in (progress := trange(updates, desc=config.env, unit="update")):
        optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - update / updates)
        improve(agent, optimizer, play(envs, agent, stacks, returns, config), config)
        if returns:
            progress.set_postfix(mean_return=f"{np.mean(returns):+.2f}")
    envs.close()
    return list(returns)


@torch.no_grad()
def play(
    envs: VectorEnv[Any, Any, Any], agent: Agent, stacks: Stacks, returns: deque[float], config: Config
) -> tuple[Tensor, ...]:
    """Stacks, actions, log probabilities, advantages and targets of the value, of all steps of all lanes."""
    rows: list[tuple[Tensor, ...]] = []
    for _ in range(config.rollout):
        seen = stacks.now_BSHW.clone()
        policy, value = agent(seen)
        action = policy.sample()
        frames, rewards, terminated, truncated, infos = envs.step(action.numpy())
        reward, over = torch.from_numpy(rewards).float().sign(), terminated | truncated
        if truncated.any():  # the episode would have gone on: so does its worth
            lanes = np.flatnonzero(truncated)
            last = stacks.pushed(np.stack(infos["final_obs"][lanes]), lanes)
            reward[lanes] += config.gamma * agent(last)[1]
        if over.any():
            returns.extend(infos["episode"]["r"][over].tolist())
        stacks.push(frames, over)
        rows.append((seen, action, policy.log_prob(action), value, reward, torch.from_numpy(over).float()))
    seen, action, log_probability, value, reward, over = (torch.stack(column) for column in zip(*rows, strict=True))
    advantage, after, following = torch.zeros_like(reward), agent(stacks.now_BSHW)[1], torch.zeros(config.lanes)
    for step in reversed(range(config.rollout)):
        goes_on = 1 - over[step]
        following = (
            reward[step]
            + config.gamma * after * goes_on
            - value[step]
            + config.gamma * config.gae * goes_on * following
        )
        advantage[step], after = following, value[step]
    return tuple(each.flatten(0, 1) for each in (seen, action, log_probability, advantage, advantage + value))


def improve(agent: Agent, optimizer: torch.optim.Optimizer, data: tuple[Tensor, ...], config: Config) -> None:
    """The update of PPO."""
    count = len(data[0])
    for _ in range(config.epochs):
        for rows in torch.randperm(count).split(config.batch):
            seen, action, old, advantage, target = (each[rows] for each in data)
            policy, value = agent(seen)
            ratio = (policy.log_prob(action) - old).exp()
            scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            gain = torch.min(ratio * scaled, ratio.clamp(1 - config.clip, 1 + config.clip) * scaled)
            loss = (
                config.value * (value - target).square().mean() - gain.mean() - config.entropy * policy.entropy().mean()
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()


if __name__ == "__main__":
    print(f"mean of the last returns: {np.mean(train(tyro.cli(Config)) or [np.nan]):+.2f}")
