"""Forks: the few different ways in which a moment may go on, told apart by a number.

What follows from the frames is often not certain: where a ball is served, how it leaves a paddle's edge. A network that
has to answer at once answers with the mean of all that may follow, and half a ball is no ball. Here it learns several
answers, each for a way of its own, and how likely each way is; whoever dreams draws one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from world_model.blocks import zeroed
from world_model.few_rows import FrameLinear

_SPREAD = 0.1  # of the first weights: ways that begin alike could never be told apart


class Forks(nn.Module):
    """Ways on from a moment, over the trunk's features of it [X, N, E]."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.embedding = nn.Embedding(count, 2 * width)
        nn.init.normal_(self.embedding.weight, std=_SPREAD)
        self.token = nn.Linear(width, width)
        self.likelihood = zeroed(FrameLinear(width, count))

    def logits(self, features_XNE: Tensor) -> Tensor:
        """How likely each way is [X, count]."""
        logits: Tensor = self.likelihood(nn.functional.silu(self.token(features_XNE)).mean(-2))
        return logits

    def likeliest(self, features_XNE: Tensor) -> Tensor:
        """The one that is most to be expected [X]."""
        return self.logits(features_XNE).argmax(-1)

    def taken(self, features_XNE: Tensor, fork_X: Tensor) -> Tensor:
        """The features as they are on the given way [X, N, E]."""
        scale_XE, shift_XE = self.embedding(fork_X).chunk(2, dim=-1)
        return torch.addcmul(shift_XE[:, None], features_XNE, 1 + scale_XE[:, None])


def drawn_fork(logits_XF: Tensor, uniform_X: Tensor, temperature: float) -> Tensor:
    """A way for each moment [X]: by its likelihood at 1, more evenly above it; at 0 the likeliest.

    Example:
        >>> drawn_fork(torch.tensor([[0.0, 0.0]]), torch.tensor([0.7]), temperature=1.0).tolist()
        [1]
    """
    if temperature == 0:
        return logits_XF.argmax(-1)
    summed_XF = (logits_XF / temperature).softmax(-1).cumsum(-1)
    return (summed_XF <= uniform_X[:, None]).sum(-1).clamp(max=logits_XF.shape[-1] - 1)
