"""What the loss cares about: one or two of 49 tokens carry the ball, and a plain mean spends itself on the rest."""

from __future__ import annotations

from torch import Tensor

from world_model.glyphs import changes


def change_weights(before_XND: Tensor, after_XND: Tensor, weight: float, least_change: float) -> Tensor:
    """[X, N]: 1, and `weight` more for tokens that change.

    Example:
        >>> import torch
        >>> change_weights(torch.zeros(1, 2, 4), torch.tensor([[[0.0] * 4, [1.0] * 4]]), 25.0, 0.1).tolist()
        [[1.0, 26.0]]
    """
    return 1 + weight * changes(before_XND, after_XND, least_change)
