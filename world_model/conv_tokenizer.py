"""The default tokenizer: a small convolutional autoencoder with bounded latents.

A frame is cut into cells of 6x6 pixels. The encoder sees each cell with a margin, the decoder sees each cell's latents
with its eight neighbours', so a ball on the border of two cells is one ball. Between them lie only matrix products over
cells, which is what makes decoding cheap: on 84x84 frames 10 MFLOP, where strided transposed convolutions of like
quality cost 23. Measured on Pong at equal training time, it is also the better of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from world_model.few_rows import require_whole, with_least_rows
from world_model.grids import divided

_CHANNELS = 3
GROUP = 2  # a token is 2x2 cells: the dynamics pay per token
_LEAST_DECODED = 2  # frames; see few_rows
_CONTRAST = 4.0  # what differs from the backdrop mostly does so by a quarter of the range or less


@dataclass(frozen=True)
class ConvTokenizerConfig:
    """Sizes, and what keeps latents robust: fixed noise, or a learned one with a KL term."""

    name: Literal["conv"] = "conv"
    cell: int = 6  # pixels along each side of a cell; two cells make a token's side
    channels: int = 8  # latent numbers in a cell
    hidden: int = 96
    noise: float = 0.1  # standard deviation added to the latents in training
    kl: float = 0.0  # weight of the KL divergence from a standard normal; above 0, the noise is learned

    def __post_init__(self) -> None:
        require_whole("hidden", self.hidden)


class ConvTokenizer(nn.Module):
    """A `Tokenizer`: tanh-bounded cell latents, grouped two by two into tokens."""

    def __init__(self, config: ConvTokenizerConfig, frame_size: tuple[int, int]) -> None:
        super().__init__()
        self.config = config
        self.grid = divided(frame_size, config.cell * GROUP, "token (two cells)")
        self.width = config.channels * GROUP**2
        cell, hidden = config.cell, config.hidden
        self.margin = cell // 3
        # What a still picture of the game shows: learned as such, it costs the network nothing.
        self.backdrop = nn.Parameter(torch.full((_CHANNELS, *frame_size), 0.5))
        # Of patches rather than a convolution, which on a CPU takes 13 times as long for a single frame.
        self.encoder = nn.Sequential(
            nn.Linear(_CHANNELS * (cell + 2 * self.margin) ** 2, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, config.channels * (2 if config.kl > 0 else 1)),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(config.channels, hidden, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.SiLU(),
            nn.Conv2d(hidden, _CHANNELS * cell**2, 1),
            nn.PixelShuffle(cell),
        )

    def encode(self, pixels_BCHW: Tensor) -> Tensor:
        """See `Tokenizer`."""
        mean, _ = self.posterior(pixels_BCHW)
        return F.pixel_unshuffle(mean, GROUP).flatten(2).mT

    def decode(self, latents_BND: Tensor) -> Tensor:
        """See `Tokenizer`."""
        return with_least_rows(self._decode, latents_BND, _LEAST_DECODED)

    def _decode(self, latents_BND: Tensor) -> Tensor:
        return self.decode_cells(F.pixel_shuffle(latents_BND.mT.reshape(-1, self.width, *self.grid), GROUP))

    def posterior(self, pixels_BCHW: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and, with a KL term, log variance of the cells' latents [B, channels, 2 rows, 2 columns]."""
        code = self.encoder(self._patches((pixels_BCHW - self.backdrop) * _CONTRAST)).movedim(-1, 1)
        if self.config.kl == 0:
            return code.tanh(), None
        mean, log_variance = code.chunk(2, dim=1)
        return mean.tanh(), log_variance.clamp(-10, 2)

    def _patches(self, pixels_BCHW: Tensor) -> Tensor:
        """Each cell with its margin: [B, rows, columns, numbers]."""
        cell, margin = self.config.cell, self.margin
        side = cell + 2 * margin
        padded = F.pad(pixels_BCHW, (margin,) * 4)
        return padded.unfold(2, side, cell).unfold(3, side, cell).permute(0, 2, 3, 1, 4, 5).flatten(3)

    def decode_cells(self, latents_BCHW: Tensor) -> Tensor:
        """Cells' latents -> pixels."""
        pixels: Tensor = self.decoder(latents_BCHW) + self.backdrop
        return pixels
