"""The shortcut objective: one large step shall lead where two half steps lead (x-space form)."""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.sampler import Predict

_CLOSEST = 1e-3  # to the clean end, where a velocity is a difference divided by nearly nothing


@torch.no_grad()
def two_half_steps(predict: Predict, noisy_XND: Tensor, tau_X: Tensor, stride_X: Tensor) -> Tensor:
    """The velocity averaged over two steps of half the stride: b' at tau, then b'' from where b' leads."""
    half_X = stride_X / 2
    first_XND = velocity(predict(noisy_XND, tau_X, half_X), noisy_XND, tau_X)
    there_XND = noisy_XND + first_XND * half_X[:, None, None]
    second_XND = velocity(predict(there_XND, tau_X + half_X, half_X), there_XND, tau_X + half_X)
    return (first_XND + second_XND) / 2


def velocity(clean_XND: Tensor, noisy_XND: Tensor, tau_X: Tensor) -> Tensor:
    """(clean - x) / (1 - tau)."""
    return (clean_XND - noisy_XND) / (1 - tau_X).clamp(min=_CLOSEST)[:, None, None]


def shortcut_errors(predicted_XND: Tensor, noisy_XND: Tensor, tau_X: Tensor, target_XND: Tensor) -> Tensor:
    """(1 - tau)^2 |velocity - target|^2, elementwise."""
    ahead = (1 - tau_X)[:, None, None]
    return (ahead * (velocity(predicted_XND, noisy_XND, tau_X) - target_XND)).square()
