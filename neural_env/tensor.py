"""The dream for whoever trains on the same device: actions in, tensors out, and no frame ever leaves it.

    dream = TensorDream("Dream/Pong-v0", 64, device="cuda")
    frames = dream.reset(seed=0)
    step = dream.step(actions)
    run = dream.rollout(policy, steps=128)

What lanes decide by (actions, rewards, ends: a few bytes each) does visit the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neural_env.dream_vector import dream_again

Policy = Callable[[Tensor], Tensor]  # frames uint8 [B, H, W, 3] -> actions [B]


class DreamStep(NamedTuple):
    """What one step of B lanes gave. A lane whose episode is over has begun the next one."""

    frames_BHWC: Tensor  # uint8; of the new episode where one has begun
    rewards_B: Tensor  # float32, raw game points
    terminated_B: Tensor
    truncated_B: Tensor
    last_BHWC: Tensor  # the frames before any new beginning: the last of the episodes that are over
    surprise_B: Tensor  # float32, see `DreamEnv`


class Rollout(NamedTuple):
    """T steps of B lanes."""

    frames_TBHWC: Tensor  # what the policy saw: one for each action
    actions_TB: Tensor  # int64
    rewards_TB: Tensor
    terminated_TB: Tensor
    truncated_TB: Tensor
    next_BHWC: Tensor  # the current frames, which no action has answered yet


class TensorDream:
    """N lanes of a dream that speak in tensors; the same lanes as `gym.make_vec` gives.

    Args:
        env: the id of a dream.
        num_envs: how many lanes.
        options: as in `DreamEnv`, `device` among them.
    """

    def __init__(self, env: str, num_envs: int = 1, **options: Any) -> None:
        self.envs = dream_again(env, num_envs, options)
        self.num_envs = self.envs.num_envs
        self.device = torch.device(self.envs.dream.options.device)

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None) -> Tensor:
        """Begin new episodes in all lanes -> their frames; see `DreamVectorEnv.reset`."""
        self.envs.reset(seed=seed, options=options)
        return self.envs.frames_BHWC

    def step(self, actions_B: Tensor) -> DreamStep:
        """Dream one step in every lane."""
        step, _ = self.envs.advance(actions_B.cpu().numpy())
        return DreamStep(
            self.envs.frames_BHWC,
            self._tensor(step.rewards.astype(np.float32)),
            self._tensor(step.terminated),
            self._tensor(step.truncated),
            step.frames_BHWC,
            self._tensor(step.surprise.astype(np.float32)),
        )

    def rollout(self, policy: Policy | Tensor, steps: int | None = None) -> Rollout:
        """Let a policy play `steps` steps, or play given actions [T, B]; nothing is learned on the way.

        Lanes go on from where they are, so that one rollout continues the last.
        """
        if isinstance(policy, Tensor):
            if policy.ndim != 2 or policy.shape[1] != self.num_envs:
                raise ValueError(f"actions have shape {tuple(policy.shape)}; expected [steps, {self.num_envs}]")
            if steps not in (None, len(policy)):
                raise ValueError(f"{len(policy)} actions a lane for {steps} steps; leave steps out")
            given = iter(policy)
            return self._rollout(lambda _: next(given), len(policy))
        if steps is None:
            raise ValueError("a policy could go on for ever; say how many steps it is to play")
        return self._rollout(policy, steps)

    def close(self) -> None:
        """Let go of the world."""
        self.envs.close()

    @torch.no_grad()
    def _rollout(self, act: Policy, steps: int) -> Rollout:
        frames, actions, given = [self.envs.frames_BHWC], [], []
        for _ in range(steps):
            actions.append(act(frames[-1]).to(self.device, torch.int64))
            step = self.step(actions[-1])
            given.append(step)
            frames.append(step.frames_BHWC)
        return Rollout(
            torch.stack(frames[:-1]),
            torch.stack(actions),
            torch.stack([step.rewards_B for step in given]),
            torch.stack([step.terminated_B for step in given]),
            torch.stack([step.truncated_B for step in given]),
            frames[-1],
        )

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(values).to(self.device)
