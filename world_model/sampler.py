"""From features to the next latents: a few rounds in which glyphs are drawn, and an evaluation that lands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from world_model.dynamics import Dynamics
from world_model.glyphs import PHASES, drawn_glyph


def expected(dynamics: Dynamics, features_XNE: Tensor, base_XND: Tensor) -> Tensor:
    """The mean of all that may follow [X, N, D], in one evaluation."""
    return dynamics.land(dynamics.look(features_XNE, *_nothing_known(base_XND)), base_XND)


def sample(
    dynamics: Dynamics,
    features_XNE: Tensor,
    base_XND: Tensor,
    evaluations: int,
    temperature: float,
    uniform_XN: Tensor,
    lean_XNV: Tensor | None = None,
    examine: Callable[[Tensor, str], None] = lambda values, what: None,
) -> Tensor:
    """The next latents [X, N, D], to be clamped.

    One evaluation gives what is expected. Each one more is a round before it, in which a part of the tokens is drawn,
    seeing those of the rounds before: two that are drawn at once may contradict each other.
    `lean` is added to the logits of the glyphs; `examine` is shown what is drawn from, which the result would not tell.
    """
    rounds = evaluations - 1
    glyph_XN, known_XN = _nothing_known(base_XND)
    for turn in range(rounds):
        x_XNE = dynamics.look(features_XNE, glyph_XN, known_XN)
        now_M = (dynamics.phase_N * rounds // PHASES == turn).nonzero()[:, 0]
        logits_XMV = dynamics.glyphs.logits(x_XNE[:, now_M])
        examine(logits_XMV, "likelihoods of glyphs")
        if lean_XNV is not None:
            logits_XMV = logits_XMV + lean_XNV[:, now_M]
        glyph_XN[:, now_M] = drawn_glyph(logits_XMV, uniform_XN[:, now_M], temperature)
        known_XN[:, now_M] = True
    return dynamics.land(dynamics.look(features_XNE, glyph_XN, known_XN), base_XND)


def _nothing_known(base_XND: Tensor) -> tuple[Tensor, Tensor]:
    """Glyphs, and which of them are known: none."""
    glyph_XN = torch.zeros(base_XND.shape[:2], dtype=torch.int64, device=base_XND.device)
    return glyph_XN, torch.zeros_like(glyph_XN, dtype=torch.bool)
