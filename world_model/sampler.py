"""From noise to clean latents in a given number of evaluations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# (noisy latents, time of the flow, step about to be taken) -> clean latents
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]


def sample(predict: Predict, noise_XND: Tensor, evaluations: int) -> Tensor:
    """Euler's method on the rectified flow x(tau) = (1 - tau) noise + tau clean, with a network that predicts `clean`.

    The last step lands on the prediction itself.

    Example:
        >>> clean = torch.full((1, 1, 2), 0.5)
        >>> sample(lambda x, tau, stride: clean, torch.zeros(1, 1, 2), evaluations=4).tolist()
        [[[0.5, 0.5]]]
    """
    x = noise_XND
    stride = 1.0 / evaluations
    stride_X = torch.full((len(x),), stride, dtype=x.dtype, device=x.device)
    for turn in range(evaluations):
        tau = turn * stride
        clean = predict(x, torch.full_like(stride_X, tau), stride_X)
        x = clean if turn == evaluations - 1 else x + (clean - x) * (stride / (1 - tau))
    return x
