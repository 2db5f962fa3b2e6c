"""Diffusion forcing: every frame of a run is noised by a level of its own, and the level is told."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from world_model.training.draws import Draws


@dataclass(frozen=True)
class ContextNoiseConfig:
    """How the levels are distributed."""

    clean_share: float = 0.7  # of the frames stay as they are
    highest: float = 0.3  # the others have levels from 0 to this


def noised(latents_BTND: Tensor, draws: Draws, config: ContextNoiseConfig) -> tuple[Tensor, Tensor]:
    """(1 - s) z + s noise, and the levels s [B, T]."""
    steps = latents_BTND.shape[1]
    noisy_BT = draws.uniform(steps) >= config.clean_share
    level_BT = torch.where(noisy_BT, draws.uniform(steps) * config.highest, 0.0)
    noise_BTND = draws.normal(*latents_BTND.shape[1:])
    level = level_BT[..., None, None]
    return (1 - level) * latents_BTND + level * noise_BTND, level_BT
