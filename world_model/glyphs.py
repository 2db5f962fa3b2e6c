"""Glyphs: the contents to which tokens of a game change, as far as they can be told apart, numbered.

What follows from the frames is often not certain: where a ball is served, how it leaves a paddle's edge. A network that
answers with latents answers with the mean of all that may follow, and half a ball is no ball. Asked whether a token
changes, and to which glyph, it says how likely each answer is, and whoever dreams draws one. That a game has few enough
of them is what makes it a game: 8,192 stand for the squares of Pong, and one in eleven changes from frame to frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from world_model.blocks import zeroed
from world_model.draft import Draft
from world_model.few_rows import RowLinear, row_linear
from world_model.pixels import precise

_SQUARE = ((0, 3), (2, 1))  # of each four tokens in a square, in which order they are drawn
PHASES = 4
_SELDOM = -4.0  # how a gate that has learned nothing thinks of change
_NEVER = -1e4  # a logit whose share is zero in every precision


class Glyphs(nn.Module):
    """What a dynamics head knows of glyphs: their contents, how it reads them, and how it says what is next."""

    def __init__(self, count: int, tokens: int, width: int, latent_width: int, least_change: float) -> None:
        super().__init__()
        self.count = count
        self.least_change = least_change
        self.register_buffer("contents_VD", torch.zeros(count, latent_width))
        self.contents_VD: Tensor
        self.register_buffer("seen_NV", torch.ones(tokens, count, dtype=torch.bool))
        self.seen_NV: Tensor
        self.read = RowLinear(latent_width, width)
        self.stays_or_changes = nn.Embedding(2, width)
        self.gate = zeroed(RowLinear(width, 1))
        nn.init.constant_(self.gate.bias, _SELDOM)
        self.likelihood = zeroed(RowLinear(width, count))
        self.aim = zeroed(RowLinear(width, latent_width, bias=False))

    @torch.no_grad()
    def renew(self, contents_VD: Tensor) -> None:
        """Stand for these contents; each inherits what the nearest glyph of before had learned."""
        ancestors_V = self.nearest(contents_VD.to(self.contents_VD))
        for learned in (self.likelihood.weight, self.likelihood.bias):
            learned.copy_(learned[ancestors_V])
        self.contents_VD.copy_(contents_VD)

    def nearest(self, latents_YD: Tensor) -> Tensor:
        """The glyph that each token is most like [Y]."""
        nearest: Tensor = torch.cdist(latents_YD, self.contents_VD).argmin(-1)
        return nearest

    def what_came(self, before_XND: Tensor, after_XND: Tensor) -> tuple[Tensor, Tensor]:
        """Which tokens changed, and the glyphs they changed to [X, N]; 0 for those that did not."""
        changed_XN = changes(before_XND, after_XND, self.least_change)
        glyph_XN = torch.zeros_like(changed_XN, dtype=torch.int64)
        glyph_XN[changed_XN] = self.nearest(after_XND[changed_XN])
        return changed_XN, glyph_XN

    def shown(self, draft: Draft, base_XND: Tensor) -> Tensor:
        """What is decided, to be added to the stream [X, N, E]; nothing where nothing is."""
        read: Tensor = self.read(draft.contents(base_XND, self.contents_VD))
        shown: Tensor = (read + self.stays_or_changes(draft.changes_XN.long())) * draft.known_XN[..., None]
        return shown

    def change_logits(self, x_XNE: Tensor) -> Tensor:
        """Log odds that each token changes [X, N]."""
        logits: Tensor = self.gate(x_XNE).squeeze(-1)
        return logits

    def logits(self, x_YE: Tensor) -> Tensor:
        """How likely each glyph is for tokens that change [Y, V].

        What each glyph has learned for itself, and how well it lies in the direction that is aimed at: glyphs that came
        seldom in training are found by their contents.
        """
        logits: Tensor = self.likelihood(x_YE) + row_linear(self.aim(x_YE), self.contents_VD)
        return logits

    def forbid_unseen(self, logits_YV: Tensor, token_Y: Tensor) -> None:
        """Take glyphs that were never seen where these tokens are out of the draw, in place.

        A score's place knows twenty contents: once a ball is drawn there, what follows is as strange, and stays so.
        """
        logits_YV.masked_fill_(~self.seen_NV[token_Y], _NEVER)


def changes(before_XND: Tensor, after_XND: Tensor, least: float) -> Tensor:
    """Which tokens do not stay as they are [X, N]: those that differ by more than `least`, root mean square.

    Example:
        >>> changes(torch.zeros(1, 2, 4), torch.tensor([[[0.05] * 4, [1.0] * 4]]), least=0.1).tolist()
        [[False, True]]
    """
    return (after_XND - before_XND).square().mean(-1) > least**2


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


def drawn_change(logits: Tensor, uniform: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Which tokens change, and the numbers from 0 to 1 that are left for drawing to what.

    Example:
        >>> changes, left = drawn_change(torch.tensor([0.0, 0.0]), torch.tensor([0.25, 0.75]), temperature=1.0)
        >>> changes.tolist(), left[changes].tolist()
        ([True, False], [0.5])
    """
    if temperature == 0:
        return logits > 0, uniform
    share = (precise(logits) / temperature).sigmoid()
    return uniform < share, uniform / share


def drawn_glyph(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """A glyph for each row of logits [..., V]: by its likelihood at 1, more evenly above it; at 0 the likeliest.

    Example:
        >>> drawn_glyph(torch.tensor([[0.0, 0.0]]), torch.tensor([0.7]), temperature=1.0).tolist()
        [1]
    """
    if temperature == 0:
        return logits.argmax(-1)
    summed = (precise(logits) / temperature).softmax(-1).cumsum(-1)
    drawn = torch.searchsorted(summed, uniform[..., None], right=True)[..., 0]
    return drawn.clamp(max=logits.shape[-1] - 1)
