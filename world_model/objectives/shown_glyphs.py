"""Which glyphs of the next frame the head is shown while it learns to say the others: masked prediction.

A row is somewhere between the first round of a draw, where nothing is known, and the landing, where all is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from world_model.glyphs import PHASES
from world_model.training.draws import Draws


@dataclass(frozen=True)
class ShownConfig:
    """How the rows are distributed."""

    nothing: float = 0.4  # share of the rows in which no glyph is known
    everything: float = 0.3  # in which all are; in the others, those of some of the phases


def shown_glyphs(phase_N: Tensor, steps: int, draws: Draws, config: ShownConfig) -> Tensor:
    """Which tokens' glyphs are known [B * T, N]."""
    where_BT = draws.uniform(steps)
    partly_BT = 1 + draws.integers(PHASES - 1, steps)
    shown_BT = torch.where(where_BT < config.nothing, 0, partly_BT)
    shown_BT = torch.where(where_BT >= 1 - config.everything, PHASES, shown_BT)
    return phase_N < shown_BT.flatten()[:, None]
