"""The two attentions of the dynamics, written out as two matrix products and a softmax.

On a CPU the backward pass of torch's fused attention is ten times slower at these sizes (measured).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from world_model.few_rows import RowLinear
from world_model.pixels import precise

EVERY = slice(None)  # token


class SpaceAttention(nn.Module):
    """Every token of a frame looks at every other; what it sees also depends on how far apart they are."""

    def __init__(self, width: int, heads: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.heads = heads
        # Three projections and not one: the gradient of a split is a copy of all three parts.
        self.query = RowLinear(width, width, bias=False)
        self.key = RowLinear(width, width, bias=False)
        self.value = RowLinear(width, width, bias=False)
        self.out = RowLinear(width, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(heads, (2 * grid[0] - 1) * (2 * grid[1] - 1)))
        self.register_buffer("offsets_NN", _offsets(grid), persistent=False)
        self.offsets_NN: Tensor

    def forward(self, x_XNE: Tensor, wanted: Tensor | slice = EVERY) -> Tensor:
        """Frames side by side [X, N, E] -> what the tokens that are wanted see [X, M, E]."""
        # Contiguous, as the products below would make them for any but one frame: one memory layout, one result.
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2).contiguous()
            for layer, x in ((self.query, x_XNE[:, wanted]), (self.key, x_XNE), (self.value, x_XNE))
        )
        scores_XHMN = _scaled(q) @ k.mT + self.bias[:, self.offsets_NN[wanted]]
        seen_XHMm = _shares(scores_XHMN, v) @ v
        out: Tensor = self.out(seen_XHMm.transpose(1, 2).flatten(2))
        return out


class TimeAttention(nn.Module):
    """Every token looks back at its own place in this frame and the `reach` - 1 frames before it.

    How old a frame is enters as a bias alone, so that a memory can keep keys as they were written and in any order.
    Head h begins by looking at the frame h + 1 steps ago, the last head at all alike: speeds are then plain from the
    first training step on.
    """

    def __init__(self, width: int, memory_width: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.query = RowLinear(width, memory_width, bias=False)
        self.key = RowLinear(width, memory_width, bias=False)
        self.value = RowLinear(width, memory_width, bias=False)
        self.out = RowLinear(memory_width, width, bias=False)
        ages = torch.arange(reach)
        self.bias = nn.Parameter(torch.stack([_first_look(ages, head, heads) for head in range(heads)]))

    def forward(self, x_BTNE: Tensor) -> Tensor:
        """A run of frames [B, T, N, E], each looking back within the run, -> the same shape."""
        steps = x_BTNE.shape[1]
        q, k, v = (
            layer(x_BTNE).unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1, 4)
            for layer in (self.query, self.key, self.value)
        )
        scores_BNHTT = _scaled(q) @ k.mT + self._run_bias(steps)
        seen_BNHTm = _shares(scores_BNHTT, v) @ v
        out: Tensor = self.out(seen_BNHTm.permute(0, 3, 1, 2, 4).flatten(3))
        return out

    def remembered(self, x_BTNE: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a run of frames [B, T, N, H, M]."""
        keys, values = (layer(x_BTNE).unflatten(-1, (self.heads, -1)) for layer in (self.key, self.value))
        return keys, values

    def look_back(
        self, x_BNE: Tensor, keys_BNHRM: Tensor, values_BNHRM: Tensor, slot_B: Tensor, age_BR: Tensor
    ) -> Tensor:
        """One frame [B, N, E] that looks back at a memory, into whose place `slot` it is written first.

        An age of `reach` or more marks a place that does not count.
        """
        lanes = torch.arange(len(slot_B), device=slot_B.device)
        q_BNHM, k_BNHM, v_BNHM = (
            layer(x_BNE).unflatten(-1, (self.heads, -1)) for layer in (self.query, self.key, self.value)
        )
        keys_BNHRM[lanes, :, :, slot_B] = k_BNHM.to(keys_BNHRM)
        values_BNHRM[lanes, :, :, slot_B] = v_BNHM.to(values_BNHRM)
        bias_BHR = self._padded_bias()[:, age_BR.clamp(max=self.reach)].transpose(0, 1)
        scores_BNH1R = _scaled(q_BNHM)[..., None, :] @ keys_BNHRM.mT
        weights_BNH1R = _shares(scores_BNH1R + bias_BHR[:, None, :, None], values_BNHRM)
        seen_BNHM = (weights_BNH1R @ values_BNHRM).squeeze(-2)
        out: Tensor = self.out(seen_BNHM.flatten(2))
        return out

    def _run_bias(self, steps: int) -> Tensor:
        """[H, T, T]: minus infinity for what is yet to come and what is forgotten."""
        step = torch.arange(steps, device=self.bias.device)
        age_TT = step[:, None] - step
        age_TT = torch.where(age_TT < 0, self.reach, age_TT).clamp(max=self.reach)
        return self._padded_bias()[:, age_TT]

    def _padded_bias(self) -> Tensor:
        return torch.cat([self.bias, torch.full_like(self.bias[:, :1], -torch.inf)], dim=1)


def _scaled(queries: Tensor) -> Tensor:
    # The queries rather than the scores: there are far fewer numbers in them.
    return queries / math.sqrt(queries.shape[-1])


def _shares(scores: Tensor, like: Tensor) -> Tensor:
    # Through float32: torch's softmax of bfloat16 is slower than there, back and the softmax in between (measured).
    return precise(scores).softmax(-1).to(like.dtype)


def _first_look(ages: Tensor, head: int, heads: int) -> Tensor:
    if head == heads - 1:
        return torch.zeros(len(ages))
    return -2.0 * (ages - (head + 1)).abs().clamp(max=4)


def _offsets(grid: tuple[int, int]) -> Tensor:
    """[N, N]: which relative place token j has as seen from token i."""
    rows, columns = grid
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    down = row.reshape(-1, 1) - row.reshape(1, -1) + rows - 1
    right = column.reshape(-1, 1) - column.reshape(1, -1) + columns - 1
    return down * (2 * columns - 1) + right
