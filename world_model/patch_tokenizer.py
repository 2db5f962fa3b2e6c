"""A tokenizer without learning: square patches of pixels are the tokens, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from world_model.grids import divided
from world_model.tokenizer import Tokenizer

CHANNELS = 3


@dataclass(frozen=True)
class PatchTokenizerConfig:
    """How large the patches are."""

    name: Literal["patch"] = "patch"
    patch: int = 12  # pixels along each side of a token


class PatchTokenizer(nn.Module, Tokenizer):
    """A `Tokenizer` that only cuts and rescales."""

    def __init__(self, config: PatchTokenizerConfig, frame_size: tuple[int, int]) -> None:
        super().__init__()
        self.config = config
        self.grid = divided(frame_size, config.patch, "patch")
        self.width = CHANNELS * config.patch**2

    def read(self, squares_YSSC: Tensor, place_Y: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return squares_YSSC.flatten(1) * 2 - 1

    def paint(self, latents_YD: Tensor, place_Y: Tensor) -> Tensor:
        """See `Tokenizer`."""
        patch = self.config.patch
        return (latents_YD.reshape(-1, patch, patch, CHANNELS) + 1) / 2
