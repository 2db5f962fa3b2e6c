"""What stands between frames and the dynamics."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from world_model.grids import squares_of


@runtime_checkable
class Tokenizer(Protocol):
    """Pixels to latent tokens and back, each token for a square of its own.

    A frame becomes a grid of tokens, row by row; each token is `width` numbers from -1 to 1. The dynamics need no more
    than that. Who makes a tokenizer says how squares are read and painted; whole frames follow.
    """

    grid: tuple[int, int]  # rows and columns of tokens
    width: int  # numbers in a token

    def read(self, squares_YSSC: Tensor, place_Y: Tensor) -> Tensor:
        """Squares of pixels from 0 to 1, and which of the grid's places each is at -> latents [Y, D], without noise."""
        ...

    def paint(self, latents_YD: Tensor, place_Y: Tensor) -> Tensor:
        """Latents, and the places they are at -> squares [Y, S, S, C], not clamped."""
        ...

    def encode(self, pixels_BCHW: Tensor) -> Tensor:
        """Pixels from 0 to 1 -> latents [B, N, D], without noise."""
        squares = squares_of(pixels_BCHW.movedim(1, -1), self.grid)
        latents_YD = self.read(squares.flatten(0, 2), _every_place(pixels_BCHW, self.grid))
        return latents_YD.view(len(pixels_BCHW), -1, self.width)

    def decode(self, latents_BND: Tensor) -> Tensor:
        """Latents [B, N, D] -> pixels [B, C, H, W], not clamped."""
        (rows, columns), lanes = self.grid, len(latents_BND)
        squares_YSSC = self.paint(latents_BND.flatten(0, 1), _every_place(latents_BND, self.grid))
        side, _, channels = squares_YSSC.shape[1:]
        pixels_BHWC = squares_YSSC.new_empty(lanes, rows * side, columns * side, channels)
        squares_of(pixels_BHWC, self.grid)[:] = squares_YSSC.view(lanes, rows, columns, side, side, channels)
        return pixels_BHWC.movedim(-1, 1)


def _every_place(frames: Tensor, grid: tuple[int, int]) -> Tensor:
    return torch.arange(grid[0] * grid[1], device=frames.device).repeat(len(frames))
