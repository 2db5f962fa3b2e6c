"""A tokenizer without learning: square patches of pixels are the tokens, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from world_model.grids import divided

CHANNELS = 3


@dataclass(frozen=True)
class PatchTokenizerConfig:
    """How large the patches are."""

    name: Literal["patch"] = "patch"
    patch: int = 12  # pixels along each side of a token


class PatchTokenizer(nn.Module):
    """A `Tokenizer` that only cuts and rescales."""

    def __init__(self, config: PatchTokenizerConfig, frame_size: tuple[int, int]) -> None:
        super().__init__()
        self.config = config
        self.grid = divided(frame_size, config.patch, "patch")
        self.width = CHANNELS * config.patch**2

    def encode(self, pixels_BCHW: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return F.pixel_unshuffle(pixels_BCHW * 2 - 1, self.config.patch).flatten(2).mT

    def decode(self, latents_BND: Tensor) -> Tensor:
        """See `Tokenizer`."""
        patches = latents_BND.mT.reshape(-1, self.width, *self.grid)
        return (F.pixel_shuffle(patches, self.config.patch) + 1) / 2
