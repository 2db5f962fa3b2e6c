"""The default tokenizer: a small autoencoder with bounded latents, each token of which tells of its own square alone.

A token is four cells that share their weights, read and painted with a stride of a whole cell. That no token knows of
its neighbours is what the dynamics want: where several tell of one ball, they have to be drawn as if by one hand, and
seldom are; and a square that has not changed is the same numbers, to the last bit. Only matrix products lie between
pixels and latents, in the order in which frames are stored. What is painted nearly as the still picture is that
picture: else ground would shimmer wherever something passes over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from world_model.few_rows import RowLinear, require_whole
from world_model.grids import divided, squares_of
from world_model.pixels import LEVELS, precise
from world_model.tokenizer import Tokenizer

_CHANNELS = 3
_CELLS = 2  # along each side of a token
_NEAR = 4 / LEVELS  # to the still picture: what is meant is the picture itself (measured on Pong: 2 to 6 do)
NEVER_STILL = -256  # where there is no still picture: a grey level that nothing painted is near
_CONTRAST = 4.0  # what differs from the still picture mostly does so by a quarter of the range or less


@dataclass(frozen=True)
class ConvTokenizerConfig:
    """Sizes, and what keeps latents robust: fixed noise, or a learned one with a KL term."""

    name: Literal["conv"] = "conv"
    side: int = 12  # pixels along each side of a token
    channels: int = 32  # latent numbers in a token
    hidden: int = 96  # units in a cell, a quarter of a token
    noise: float = 0.1  # standard deviation added to the latents in training
    kl: float = 0.0  # weight of the KL divergence from a standard normal; above 0, the noise is learned

    def __post_init__(self) -> None:
        require_whole("hidden", self.hidden)
        if self.side % _CELLS:
            raise ValueError(f"side is {self.side}; expected an even number, as a token is {_CELLS}x{_CELLS} cells")


class ConvTokenizer(nn.Module, Tokenizer):
    """A `Tokenizer`: tanh-bounded latents of squares."""

    def __init__(self, config: ConvTokenizerConfig, frame_size: tuple[int, int]) -> None:
        super().__init__()
        self.config = config
        self.grid = divided(frame_size, config.side, "token")
        self.width = config.channels
        self.cell = config.side // _CELLS
        numbers, hidden, cells = _CHANNELS * self.cell**2, config.hidden, _CELLS**2
        # What a still picture of the game shows: learned as such, it costs the network nothing.
        self.backdrop_HWC = nn.Parameter(torch.full((*frame_size, _CHANNELS), 0.5))
        # The backdrop goes its own ways in training. This is the picture itself, in grey levels.
        self.register_buffer("still_HWC", torch.full((*frame_size, _CHANNELS), NEVER_STILL, dtype=torch.int16))
        self.still_HWC: Tensor
        self.encoder = nn.Sequential(
            RowLinear(numbers, hidden),
            nn.SiLU(),
            nn.Flatten(-2),
            RowLinear(cells * hidden, hidden),
            nn.SiLU(),
            RowLinear(hidden, config.channels * (2 if config.kl > 0 else 1)),
        )
        self.decoder = nn.Sequential(
            RowLinear(config.channels, cells * hidden),
            nn.SiLU(),
            nn.Unflatten(-1, (cells, hidden)),
            RowLinear(hidden, hidden),
            nn.SiLU(),
            RowLinear(hidden, numbers),
        )

    def read(self, squares_YSSC: Tensor, place_Y: Tensor) -> Tensor:
        """See `Tokenizer`."""
        cells_YKP = _cells(squares_YSSC - self._at(self.backdrop_HWC, place_Y)).to(self.backdrop_HWC.dtype)
        return self.posterior(cells_YKP)[0]

    def paint(self, latents_YD: Tensor, place_Y: Tensor) -> Tensor:
        """See `Tokenizer`."""
        cells_YKP = precise(self.decoder(latents_YD))
        split = cells_YKP.reshape(-1, _CELLS, _CELLS, self.cell, self.cell, _CHANNELS)
        painted_YSSC = split.transpose(2, 3).flatten(3, 4).flatten(1, 2) + self._at(self.backdrop_HWC, place_Y)
        return _settled(painted_YSSC, self._at(self.still_HWC, place_Y) / LEVELS)

    def squares(self, pixels_BCHW: Tensor) -> Tensor:
        """What each token is to tell: by how much its pixels differ from the backdrop's [B, N, cells, numbers]."""
        return self.cut(pixels_BCHW.movedim(1, -1) - self.backdrop_HWC)

    def posterior(self, squares_XKP: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and, with a KL term, log variance of the latents of squares [..., D]."""
        code = self.encoder(squares_XKP * _CONTRAST)
        if self.config.kl == 0:
            return code.tanh(), None
        mean, log_variance = code.chunk(2, dim=-1)
        return mean.tanh(), log_variance.clamp(-10, 2)

    @torch.no_grad()
    def set_still_picture(self, levels_HWC: Tensor) -> None:
        """What the game shows where nothing happens, in grey levels; `NEVER_STILL` where something always does."""
        self.still_HWC.copy_(levels_HWC)

    @torch.no_grad()
    def set_backdrop(self, pixels_HWC: Tensor) -> None:
        """Begin from such a picture."""
        self.backdrop_HWC.copy_(pixels_HWC)

    def cut(self, pixels_BHWC: Tensor) -> Tensor:
        """Numbers that lie as pixels do, by the token and cell they belong to [B, N, cells, numbers]."""
        return _cells(squares_of(pixels_BHWC, self.grid).flatten(1, 2))

    def _at(self, picture_HWC: Tensor, place_Y: Tensor) -> Tensor:
        return squares_of(picture_HWC[None], self.grid).flatten(0, 2)[place_Y]


def _cells(squares: Tensor) -> Tensor:
    """[..., S, S, C] -> [..., cells, numbers]."""
    *before, side, _, channels = squares.shape
    split = squares.reshape(*before, _CELLS, side // _CELLS, _CELLS, side // _CELLS, channels)
    return split.transpose(-4, -3).flatten(-3).flatten(-3, -2)


def _settled(painted: Tensor, still: Tensor) -> Tensor:
    """What is near the still picture is that; without a leap, so that rounding decides nothing."""
    off = painted - still
    return still + 2 * nn.functional.softshrink(off, _NEAR) - nn.functional.softshrink(off, 2 * _NEAR)
