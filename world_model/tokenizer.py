"""What stands between frames and the dynamics."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Tokenizer(Protocol):
    """Pixels to latent tokens and back.

    A frame becomes a grid of tokens, row by row; each token is `width` numbers from -1 to 1. The dynamics need no more
    than that.
    """

    grid: tuple[int, int]  # rows and columns of tokens
    width: int  # numbers in a token

    def encode(self, pixels_BCHW: Tensor) -> Tensor:
        """Pixels from 0 to 1 -> latents [B, N, D], without noise."""
        ...

    def decode(self, latents_BND: Tensor) -> Tensor:
        """Latents [B, N, D] -> pixels [B, C, H, W], not clamped."""
        ...
