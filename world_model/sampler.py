"""From features to the next latents: a few rounds in which tokens stay or change, and an evaluation that lands."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from world_model.draft import Draft
from world_model.dynamics import Dynamics
from world_model.examine import Examine, look_away
from world_model.glyphs import PHASES, drawn_change, drawn_glyph


class Lean(NamedTuple):
    """What is made likelier than it is: by the factor exp(by) in odds."""

    changes_XN: Tensor  # bool
    glyph_XN: Tensor
    by: float


def expected(dynamics: Dynamics, features_XNE: Tensor, base_XND: Tensor) -> Tensor:
    """The mean of all that may follow [X, N, D], in one evaluation."""
    draft = Draft.empty(base_XND)
    return dynamics.land(dynamics.look(features_XNE, base_XND, draft), base_XND, draft)


def sample(
    dynamics: Dynamics,
    features_XNE: Tensor,
    base_XND: Tensor,
    evaluations: int,
    temperature: float,
    uniform_XN: Tensor,
    lean: Lean | None = None,
    examine: Examine = look_away,
) -> Tensor:
    """The next latents [X, N, D], to be clamped.

    One evaluation gives what is expected. Each one more is a round before it, in which a part of the tokens is drawn,
    seeing those of the rounds before: two that are drawn at once may contradict each other.
    """
    rounds = evaluations - 1
    draft = Draft.empty(base_XND)
    for turn in range(rounds):
        now_M = (dynamics.phase_N * rounds // PHASES == turn).nonzero()[:, 0]
        x_XME = dynamics.look(features_XNE, base_XND, draft, now_M)
        _draw(dynamics, x_XME, draft, now_M, uniform_XN, temperature, lean, examine)
    return dynamics.land(dynamics.look(features_XNE, base_XND, draft), base_XND, draft)


def _draw(
    dynamics: Dynamics,
    x_XME: Tensor,
    draft: Draft,
    now_M: Tensor,
    uniform_XN: Tensor,
    temperature: float,
    lean: Lean | None,
    examine: Examine,
) -> None:
    """Decide the tokens whose turn it is; only those that change are asked for a glyph."""
    odds_XM = dynamics.glyphs.change_logits(x_XME)
    examine(odds_XM, "odds of change")
    if lean is not None:
        odds_XM = odds_XM + torch.where(lean.changes_XN[:, now_M], lean.by, -lean.by)
    changes_XM, left_XM = drawn_change(odds_XM, uniform_XN[:, now_M], temperature)
    draft.known_XN[:, now_M] = True
    draft.changes_XN[:, now_M] = changes_XM
    frame_Y, place_Y = changes_XM.nonzero(as_tuple=True)
    token_Y = now_M[place_Y]
    logits_YV = dynamics.glyphs.logits(x_XME[changes_XM])
    examine(logits_YV, "likelihoods of glyphs", frame_Y)
    dynamics.glyphs.forbid_unseen(logits_YV, token_Y)
    if lean is not None:
        logits_YV[torch.arange(len(frame_Y), device=frame_Y.device), lean.glyph_XN[frame_Y, token_Y]] += lean.by
    draft.glyph_XN[frame_Y, token_Y] = drawn_glyph(logits_YV, left_XM[changes_XM], temperature)
