"""Runs in which some changes did not happen: what a dream looks like that has drawn a token wrongly.

A token that stays where it should have changed leaves half a paddle behind, or two balls, or none, and stays so until
something moves there. Asked for the true next frame from there, the model learns to mend it; without, what a dream has
once lost is lost for good, as no real frame ever lacks it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from world_model.glyphs import changes
from world_model.training.draws import Draws


@dataclass(frozen=True)
class MissedConfig:
    """How the shares are distributed."""

    clean_share: float = 0.5  # of the runs stay as they are
    highest: float = 0.3  # the others miss a share of their changes, from 0 to this


def with_missed_changes(latents_BTND: Tensor, draws: Draws, config: MissedConfig, least_change: float) -> Tensor:
    """The run as it would be had some of its tokens stayed as they were; see `changes`."""
    steps, tokens = latents_BTND.shape[1:3]
    misses_B1 = torch.where(draws.uniform(1) < config.clean_share, 0.0, draws.uniform(1) * config.highest)
    missed_BTN = draws.uniform(steps, tokens) < misses_B1[..., None]
    run = [latents_BTND[:, 0]]
    for step in range(1, steps):
        before_BND, now_BND = latents_BTND[:, step - 1], latents_BTND[:, step]
        drawn_BN = changes(before_BND, now_BND, least_change) & ~missed_BTN[:, step]
        whole_BN = ~changes(run[-1], now_BND, least_change)  # nothing is missing here: to the last bit what is real
        run.append(torch.where((drawn_BN | whole_BN)[..., None], now_BND, run[-1]))
    return torch.stack(run, dim=1)
