"""What a token sees of the last frames at its own place and the eight around it.

A ball that flies from one token's place into the next one's is in neither for long enough to be followed there; seen
with the places around it and with the frames before, its speed is plain.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Nearby(nn.Module):
    """Gathers [X, S, N, D], the newest frame first, into [X, N, width]."""

    def __init__(self, grid: tuple[int, int], latent_width: int, stack: int) -> None:
        super().__init__()
        self.latent_width, self.stack = latent_width, stack
        self.register_buffer("places_NP", _around(grid), persistent=False)
        self.places_NP: Tensor
        self.width = self.places_NP.shape[1] * stack * latent_width

    def forward(self, stacked_XSND: Tensor) -> Tensor:
        """[X, S, N, D] -> [X, N, P * S * D]."""
        seen_XNS = stacked_XSND.transpose(1, 2).flatten(2)
        beyond_XNS = F.pad(seen_XNS, (0, 0, 0, 1))  # the place that stands for all outside the frame
        return beyond_XNS[:, self.places_NP].flatten(2)

    def of_run(self, latents_BTND: Tensor) -> Tensor:
        """For every frame of a run [B, T, N, P * S * D]; before the first there were none."""
        steps = latents_BTND.shape[1]
        padded = F.pad(latents_BTND, (0, 0, 0, 0, self.stack - 1, 0))
        stacked = [padded[:, self.stack - 1 - age :][:, :steps] for age in range(self.stack)]
        gathered: Tensor = self(torch.stack(stacked, dim=2).flatten(0, 1))
        return gathered.reshape(*latents_BTND.shape[:2], *gathered.shape[1:])


def _around(grid: tuple[int, int]) -> Tensor:
    """[N, 9]: the places around each, itself in the middle; one more than the last stands for outside."""
    rows, columns = grid
    numbers = F.pad(torch.arange(rows * columns).view(rows, columns), (1, 1, 1, 1), value=rows * columns)
    shifted = [numbers[down : down + rows, right : right + columns] for down in range(3) for right in range(3)]
    return torch.stack(shifted, dim=-1).flatten(0, 1)
