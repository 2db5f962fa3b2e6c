"""The block that trunk and head are made of, and the embedding of noise levels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from world_model.attention import EVERY, SpaceAttention, TimeAttention
from world_model.few_rows import RowLinear
from world_model.pixels import precise

_WAVES = 32


class Block(nn.Module):
    """Looks back in time (where `time` is given), then around in the frame, then thinks about each token.

    Each part reads a normalised input, scaled and shifted as the frame's condition says, and adds to the stream.
    """

    def __init__(self, width: int, heads: int, grid: tuple[int, int], mlp: int, time: TimeAttention | None) -> None:
        super().__init__()
        self.time = time
        self.space = SpaceAttention(width, heads, grid)
        self.think = nn.Sequential(RowLinear(width, mlp * width), nn.SiLU(), RowLinear(mlp * width, width))
        self.parts = 2 if time is None else 3
        self.modulation = zeroed(RowLinear(width, 2 * self.parts * width))

    def forward(
        self,
        x_XNE: Tensor,
        condition_XE: Tensor,
        look_back: Callable[[TimeAttention, Tensor], Tensor] | None = None,
        wanted: Tensor | slice = EVERY,
    ) -> Tensor:
        """Frames side by side [X, N, E] with a condition each; `look_back` says how time attention is applied.

        Of the tokens that are not wanted, nothing is computed but what the others see of them.
        """
        turns = iter(self.modulation(condition_XE)[:, None].chunk(2 * self.parts, dim=-1))
        if self.time is not None and look_back is not None:
            x_XNE = x_XNE + look_back(self.time, _modulated(x_XNE, next(turns), next(turns)))
        x_XME = x_XNE[:, wanted] + self.space(_modulated(x_XNE, next(turns), next(turns)), wanted)
        thought_XME: Tensor = x_XME + self.think(_modulated(x_XME, next(turns), next(turns)))
        return thought_XME


class LevelEmbedding(nn.Module):
    """A number from 0 to 1 (a noise level, a share of what is known) as a vector.

    Not zero at first: a block's modulation is, and of two factors that are both zero neither would ever learn.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = RowLinear(_WAVES, width)

    def forward(self, level_X: Tensor) -> Tensor:
        """[X] -> [X, E]."""
        phase_XW = precise(level_X)[:, None] * (math.pi * torch.arange(_WAVES, device=level_X.device))
        embedded: Tensor = self.linear(phase_XW.cos().to(self.linear.weight.dtype))
        return embedded


_Linear = TypeVar("_Linear", bound=nn.Linear)


def zeroed(layer: _Linear) -> _Linear:
    """A layer that says nothing until it has learned to."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def normalised(x: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the last dimension."""
    return F.layer_norm(x, x.shape[-1:])


def _modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, normalised(x), 1 + scale)
