"""A policy that no longer learns: a callable on batches of frames, in twin and dream alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from agents.network import FrameNetwork, FrameNetworkConfig
from agents.view import FrameStacks, View
from data_gen.policy import Actions, Frames, Lanes

_BATCH = 8


class PolicyHead(nn.Module):
    """Gray stacks uint8 [B, stack, size, size] -> one number an action [B, A]: logits (PPO) or values (DQN)."""

    def __init__(self, config: FrameNetworkConfig, num_actions: int) -> None:
        super().__init__()
        self.features = FrameNetwork(config)
        self.actions = nn.Linear(config.width, num_actions)

    def forward(self, stacks_BSHW: Tensor) -> Tensor:
        scores: Tensor = self.actions(self.features(stacks_BSHW.float() / 255.0))
        return scores


class FrozenPolicy:
    """A `Policy` (data_gen.policy) around a network, a random choice or one constant action.

    The network is always called with a batch of eight, padded if need be, so that an action does not depend on how
    many lanes happen to be running: CPU kernels differ between batch sizes.
    """

    def __init__(
        self,
        num_actions: int,
        view: View,
        head: PolicyHead | None = None,
        constant: int | None = None,
        deterministic: bool = False,
        temperature: float = 1.0,
        epsilon: float = 0.0,
        actions: Sequence[int] = (),
    ) -> None:
        self.num_actions = num_actions
        self.deterministic = deterministic
        self.temperature = temperature
        self.epsilon = epsilon
        self._head = head
        self._constant = constant
        self._actions = np.array(actions or range(num_actions), np.int64)
        self._stacks = FrameStacks(view)
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, lanes: Lanes, seeds: npt.NDArray[np.int64]) -> None:
        """New games begin in `lanes`."""
        self._stacks.reset(lanes)
        for lane, seed in zip(lanes.tolist(), seeds.tolist(), strict=True):
            self._generators[lane] = np.random.default_rng(seed)

    def __call__(self, frames: Frames, lanes: Lanes) -> Actions:
        """Frames uint8 [B, H, W, 3] -> actions int64 [B]."""
        if self._constant is not None:
            return np.full(len(lanes), self._constant, np.int64)
        probabilities_BA = self._probabilities(frames, lanes)
        # Two draws a lane whether used or not: a lane's stream then never depends on its settings.
        draws = np.array([self._generator(lane).random(2) for lane in lanes.tolist()])
        chosen = (probabilities_BA.cumsum(axis=1) > draws[:, :1]).argmax(axis=1)
        mistaken = draws[:, 1] < self.epsilon
        # What remains of the second draw below epsilon is uniform again.
        random = (draws[:, 1] / max(self.epsilon, 1e-12) * self.num_actions).astype(np.int64)
        return np.where(mistaken, random.clip(0, self.num_actions - 1), self._actions[chosen])

    def scores(self, stacks: Frames) -> npt.NDArray[np.float32]:
        """The network's logits or values [B, A] for gray stacks [B, stack, size, size]."""
        assert self._head is not None
        count = len(stacks)
        padded = np.zeros((-(-count // _BATCH), _BATCH, *stacks.shape[1:]), np.uint8)
        padded.reshape(-1, *stacks.shape[1:])[:count] = stacks
        with torch.inference_mode():
            scores = torch.cat([self._head(torch.from_numpy(batch)) for batch in padded])
        return np.asarray(scores[:count].numpy())

    def _probabilities(self, frames: Frames, lanes: Lanes) -> npt.NDArray[np.float64]:
        """The chance of each action [B, A]."""
        if self._head is None:
            return np.full((len(lanes), self.num_actions), 1.0 / self.num_actions)
        scores_BA = self.scores(self._stacks.push(frames, lanes)).astype(np.float64)
        if self.deterministic:
            return np.asarray(np.eye(self.num_actions)[scores_BA.argmax(axis=1)])
        powers_BA = np.exp((scores_BA - scores_BA.max(axis=1, keepdims=True)) / self.temperature)
        return np.asarray(powers_BA / powers_BA.sum(axis=1, keepdims=True))

    def _generator(self, lane: int) -> np.random.Generator:
        if lane not in self._generators:  # making one for nothing costs a tenth of the network
            self._generators[lane] = np.random.default_rng(lane)
        return self._generators[lane]
