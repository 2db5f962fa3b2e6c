"""What the loss cares about: one or two of 49 tokens carry the ball, and a plain mean spends itself on the rest."""

from __future__ import annotations

from torch import Tensor

_CHANGED = 0.02  # mean absolute difference of a token's latents; below it, nothing that shows has moved


def change_weights(before_XND: Tensor, after_XND: Tensor, weight: float) -> Tensor:
    """[X, N]: 1, and `weight` more for tokens that change.

    Example:
        >>> import torch
        >>> before, after = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
        >>> after[0, 1] = 1
        >>> change_weights(before, after, 25.0).tolist()
        [[1.0, 26.0]]
    """
    return 1 + weight * ((after_XND - before_XND).abs().mean(-1) > _CHANGED)
