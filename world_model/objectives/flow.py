"""Rectified flow with clean-latent prediction: x(tau) = (1 - tau) noise + tau clean, and the network says `clean`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from world_model.training.draws import Draws


@dataclass(frozen=True)
class FlowConfig:
    """Which points of the flow are trained."""

    one_step_share: float = 0.85  # rows at pure noise, from where one evaluation has to do
    still_share: float = 0.9  # of those, without any noise: temperature 0
    evaluations: tuple[int, ...] = (2, 4, 8)  # the other rows lie on the grids of these


class FlowPoint(NamedTuple):
    """Where on the flow each row is."""

    noisy_XND: Tensor
    tau_X: Tensor
    stride_X: Tensor


def flow_point(clean_BTND: Tensor, draws: Draws, config: FlowConfig) -> FlowPoint:
    """A point of the flow for every frame of [B, T, N, D], in rows [B * T]."""
    steps = clean_BTND.shape[1]
    one_step_BT = draws.uniform(steps) < config.one_step_share
    still_BT = one_step_BT & (draws.uniform(steps) < config.still_share)
    evaluations_BT = torch.tensor(config.evaluations, device=clean_BTND.device)[
        draws.integers(len(config.evaluations), steps)
    ]
    evaluations_BT = torch.where(one_step_BT, 1, evaluations_BT)
    tau_BT = (draws.uniform(steps) * evaluations_BT).floor() / evaluations_BT
    noise_BTND = draws.normal(*clean_BTND.shape[1:]) * ~still_BT[..., None, None]
    tau = tau_BT[..., None, None]
    noisy_BTND = (1 - tau) * noise_BTND + tau * clean_BTND
    return FlowPoint(noisy_BTND.flatten(0, 1), tau_BT.flatten(), (1 / evaluations_BT).flatten())
