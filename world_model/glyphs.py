"""Glyphs: the contents that tokens of a game have, as far as they can be told apart, numbered.

What follows from the frames is often not certain: where a ball is served, how it leaves a paddle's edge. A network that
answers with latents answers with the mean of all that may follow, and half a ball is no ball. Asked which glyph comes,
it says how likely each is, and whoever dreams draws one. That a game has few enough of them is what makes it a game:
the latents of 160,000 frames of Pong hold 50,000 different tokens, and decoded from 2,048 of them 99.9 % of the balls
are within a pixel in mid-field and 98 % where they meet a paddle.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from world_model.blocks import zeroed

_SQUARE = ((0, 3), (2, 1))  # of each four tokens in a square, in which order they are drawn
PHASES = 4


class Glyphs(nn.Module):
    """What a dynamics head knows of glyphs: their contents, how it reads them, and how it says which is next."""

    def __init__(self, count: int, width: int, latent_width: int) -> None:
        super().__init__()
        self.count = count
        self.register_buffer("contents_VD", torch.zeros(count, latent_width))
        self.contents_VD: Tensor
        self.read = nn.Linear(latent_width, width)
        self.likelihood = zeroed(nn.Linear(width, count))

    def nearest(self, latents_XND: Tensor) -> Tensor:
        """The glyph that each token is most like [X, N]."""
        return torch.cdist(latents_XND.flatten(0, 1), self.contents_VD).argmin(-1).view(latents_XND.shape[:2])

    def shown(self, glyph_XN: Tensor, known_XN: Tensor) -> Tensor:
        """The glyphs of the tokens that are known, to be added to the stream [X, N, E]; elsewhere nothing."""
        shown: Tensor = self.read(self.contents_VD[glyph_XN]) * known_XN[..., None]
        return shown

    def logits(self, x_YE: Tensor) -> Tensor:
        """How likely each glyph is [Y, V]."""
        logits: Tensor = self.likelihood(x_YE)
        return logits


def phases(grid: tuple[int, int]) -> Tensor:
    """[N]: when each token is drawn: no two neighbours at once, if there is a round for each phase.

    With two rounds tokens that touch along a side are drawn apart, with four all that touch.

    Example:
        >>> phases((2, 3)).tolist()
        [0, 3, 0, 2, 1, 2]
    """
    rows, columns = grid
    square = torch.tensor(_SQUARE)
    return square.repeat(-(-rows // 2), -(-columns // 2))[:rows, :columns].flatten()


def drawn_glyph(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """A glyph for each row of logits [..., V]: by its likelihood at 1, more evenly above it; at 0 the likeliest.

    Example:
        >>> drawn_glyph(torch.tensor([[0.0, 0.0]]), torch.tensor([0.7]), temperature=1.0).tolist()
        [1]
    """
    if temperature == 0:
        return logits.argmax(-1)
    summed = (logits / temperature).softmax(-1).cumsum(-1)
    drawn = torch.searchsorted(summed, uniform[..., None], right=True)[..., 0]
    return drawn.clamp(max=logits.shape[-1] - 1)
