"""How far frames are apart to somebody who plays: distances of features (PFD), in the place of LPIPS.

The features are those of frozen agents trained in the real game that are not in the zoo; where a game has none, those
of the same network with random weights, which see no less but know nothing. A distance is that of unit-normalised
features, summed over layers; 1 is as far apart as unrelated real frames are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agents.network import FrameNetwork, FrameNetworkConfig
from agents.view import View
from agents.zoo import zoo
from data_gen.policy import Frames
from world_model.metrics.intervals import Floats

_AT_ONCE = 32
_SMALL = 1e-8


@dataclass(frozen=True)
class Eyes:
    """The feature extractors of a game."""

    networks: tuple[FrameNetwork, ...]
    view: View
    how: str  # in words, for the report

    def stack(self, frames_BTHWC: Frames) -> Frames:
        """What an agent sees at the last of these frames: uint8 [B, stack, size, size]; black before the first."""
        chosen = frames_BTHWC[:, -self.view.stack :]
        stacks = np.zeros((len(chosen), self.view.stack, self.view.size, self.view.size), np.uint8)
        missing = self.view.stack - chosen.shape[1]
        for stack, frames in zip(stacks, chosen, strict=True):
            for place, frame in enumerate(frames):
                stack[missing + place] = self.view.gray(frame)
        return stacks

    @torch.no_grad()
    def distance(self, one: Frames, other: Frames) -> Floats:
        """How far stacks [B, ...] are apart, the mean over the networks; that of unrelated ones is yet to divide it."""
        parts = []
        for first in range(0, len(one), _AT_ONCE):
            ours, theirs = (torch.tensor(each[first : first + _AT_ONCE]) for each in (one, other))
            parts.append(torch.stack([_apart(network, ours, theirs) for network in self.networks]).mean(dim=0))
        return np.asarray(torch.cat(parts).double().numpy())


def _apart(network: FrameNetwork, one: Tensor, other: Tensor) -> Tensor:
    """LPIPS's unweighted form over the convolutions' outputs, [B]."""
    total = torch.zeros(len(one))
    ours, theirs = (network.seen(each.float() / 255.0) for each in (one, other))
    for layer in network.layers:
        if isinstance(layer, nn.Flatten):
            break
        ours, theirs = layer(ours), layer(theirs)
        if isinstance(layer, nn.ReLU):
            total = total + (_unit(ours) - _unit(theirs)).square().sum(dim=1).mean(dim=(1, 2))
    return total


def _unit(features_BCHW: Tensor) -> Tensor:
    return features_BCHW / (features_BCHW.square().sum(dim=1, keepdim=True).sqrt() + _SMALL)


def eyes(game: str) -> Eyes:
    """The measuring agents of a game's zoo, or random features.

    Example:
        >>> eyes("Pong").how
        'features of 3 agents trained in the real game, not in the zoo'
    """
    from agents.policy_file import load_weights, read_record

    found = list(zoo(game, role="eye").values())
    if not found:
        config = FrameNetworkConfig(motion=False)
        return Eyes(
            (_random(config),), View(config.size, config.stack), "features of random weights: no agents measure here"
        )
    networks = []
    for each in found:
        record = read_record(each.path)
        network = FrameNetwork(record.network)
        weights = load_weights(each.path)
        network.load_state_dict(
            {n.removeprefix("features."): w for n, w in weights.items() if n.startswith("features.")}
        )
        networks.append(network.eval())
    return Eyes(
        tuple(networks), record.view, f"features of {len(found)} agents trained in the real game, not in the zoo"
    )


def _random(config: FrameNetworkConfig) -> FrameNetwork:
    network, generator = FrameNetwork(config), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            size = weight[0].numel() if weight.ndim > 1 else 4
            weight.copy_(torch.randn(weight.shape, generator=generator) * (2 / size) ** 0.5)
    return network.eval()


def unrelated(distances: Sequence[float]) -> float:
    """The scale of distances: the mean of those between frames of different games; 1 where there are none.

    Example:
        >>> unrelated([2.0, 4.0])
        3.0
    """
    return float(np.mean(distances)) if len(distances) and np.mean(distances) > 0 else 1.0
