"""Runs in which some tokens are for a while not what they should be, but what their place holds in some other frame.

A dream that draws a token wrongly has to live with it: a figure of the score that nobody can read stays until the next
point. Asked for the true next frame from there, the model learns to mend what does not fit, from what it remembers
or, once that is gone, by what is seen in games at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from world_model.training.draws import Draws


@dataclass(frozen=True)
class StrangeConfig:
    """How the shares are distributed."""

    clean_share: float = 1.0  # of the runs stay as they are
    highest: float = 0.3  # in the others a share of the places has a strange stretch, from 0 to this


def with_strange_tokens(latents_BTND: Tensor, others_FND: Tensor, draws: Draws, config: StrangeConfig) -> Tensor:
    """The run as it would be with tokens from other frames in it.

    A stretch begins at any time from half a run before the run to its end, and takes up to as long as it: some hold
    from the first frame to the last, where memory is of no help.
    """
    steps, tokens = latents_BTND.shape[1:3]
    share_B1 = torch.where(draws.uniform(1) < config.clean_share, 0.0, draws.uniform(1) * config.highest)
    has_BN = draws.uniform(tokens) < share_B1
    first_BN = (draws.uniform(tokens) * 1.5 - 0.5) * steps
    last_BN = first_BN + draws.uniform(tokens) * steps
    strange_BND = others_FND[draws.integers(len(others_FND), tokens), torch.arange(tokens)]
    time_T1 = torch.arange(steps, device=latents_BTND.device)[:, None]
    is_strange_BTN = has_BN[:, None] & (first_BN[:, None] <= time_T1) & (time_T1 < last_BN[:, None])
    return torch.where(is_strange_BTN[..., None], strange_BND[:, None], latents_BTND)
