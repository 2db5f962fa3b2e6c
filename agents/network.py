"""The agents' network: three convolutions and a dense layer, small enough to train on a CPU and to ship.

The kernels and strides are those of the Nature DQN. Half its channels cost 2.7 times less to train and still
play Pong; `FrameNetworkConfig(channels=(32, 64, 64))` gives the original.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

_KERNELS_AND_STRIDES = ((8, 4), (4, 2), (3, 1))
_MOTION_SCALE = 4.0  # most differences are nothing at all
FIRST_LAYER = "features.layers.0.weight"  # of a policy file


@dataclass(frozen=True)
class FrameNetworkConfig:
    """Sizes of the network."""

    stack: int = 4  # gray frames in
    size: int = 84  # their height and width
    channels: tuple[int, int, int] = (16, 32, 32)
    width: int = 128  # features out
    motion: bool = True  # see `moving`; False: the frames as they are


class FrameNetwork(nn.Module):
    """Gray stacks [B, stack, size, size], scaled to 0..1 -> features [B, width]."""

    def __init__(self, config: FrameNetworkConfig) -> None:
        super().__init__()
        self.motion = config.motion
        layers: list[nn.Module] = []
        inputs, side = config.stack, config.size
        for outputs, (kernel, stride) in zip(config.channels, _KERNELS_AND_STRIDES, strict=True):
            layers += [nn.Conv2d(inputs, outputs, kernel, stride), nn.ReLU()]
            inputs, side = outputs, (side - kernel) // stride + 1
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * side**2, config.width), nn.ReLU())

    def forward(self, stacks_BSHW: Tensor) -> Tensor:
        features: Tensor = self.layers(self.seen(stacks_BSHW))
        return features

    def seen(self, stacks_BSHW: Tensor) -> Tensor:
        """What the first layer is shown."""
        shown_BSHW = moving(stacks_BSHW) if self.motion else stacks_BSHW
        # Channels-last makes the small convolutions 1.5 times faster on a CPU.
        return shown_BSHW.contiguous(memory_format=torch.channels_last)


def moving(stacks_BSHW: Tensor) -> Tensor:
    """The newest frame, and how each frame differs from the one before it.

    Most of a stack of frames is the same still picture again and again, and a ball is a few pixels of it. With motion,
    PPO stood at -6 and 0 in Pong after 300,000 steps, two runs; without, three runs with other settings stood at -17 to
    -21 (see `recipes/README.md`).
    """
    return torch.cat([stacks_BSHW[:, -1:], _MOTION_SCALE * stacks_BSHW.diff(dim=1)], dim=1)


def of_motion(weights_OSKK: Tensor) -> Tensor:
    """The weights of a first layer that sees frames, for one that sees `moving` frames and gives the same."""
    of_differences = -weights_OSKK.cumsum(1)[:, :-1] / _MOTION_SCALE
    return torch.cat([weights_OSKK.sum(1, keepdim=True), of_differences], dim=1)


class FrameFeatures(BaseFeaturesExtractor):
    """The same network where SB3 wants a features extractor."""

    def __init__(self, observation_space: gymnasium.spaces.Box, config: FrameNetworkConfig) -> None:
        super().__init__(observation_space, config.width)
        self.config = config
        self.network = FrameNetwork(config)

    def forward(self, observations: Tensor) -> Tensor:
        features: Tensor = self.network(observations)
        return features
