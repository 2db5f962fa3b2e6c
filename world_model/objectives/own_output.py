"""Training on the model's own output: a run whose later frames are what the model itself made of the earlier ones.

What is made is made without gradient; the loss then asks for the true next frame from there. This is what keeps a dream
from drifting: a model that has only ever seen real frames does not know how to mend its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.sampler import Lean, sample
from world_model.world import World

_EVALUATIONS = 2  # for a dreamt frame: leaning on what came, its tokens seldom contradict each other
_TEMPERATURE = 1.0
_STRAYED = 0.45  # root mean square between a dreamt token and the real one; a ball that is missing, or is pixels away
_LEASH = 2  # frames in a row that may have strayed


@torch.no_grad()
def dreamt_run(
    world: World,
    latents_BTND: Tensor,
    executed_BTK: Tensor,
    real_B: Tensor,
    uniform_BTN: Tensor,
    lean: float,
) -> Tensor:
    """The run [B, T, N, D] with its first `real` frames kept and the others dreamt.

    A ball that was served to the other side would have the real frames ask for a jump, and the dream learn that balls
    jump, or are anywhere. So the odds of what came are raised by the factor exp(lean), and a dream that has
    strayed for longer than it takes to mend a slip goes on from the real frame. Costs one pass over the run, as each
    frame is taken in once, and the evaluations of the head.
    """
    dynamics = world.dynamics
    memory = dynamics.memory(len(latents_BTND))
    level_B = latents_BTND.new_zeros(len(latents_BTND))
    strayed_B = real_B.new_zeros(len(real_B))  # frames in a row
    run = [latents_BTND[:, 0]]
    for step in range(latents_BTND.shape[1] - 1):
        features_BNE = dynamics.take_in(memory, run[step], level_B, executed_BTK[:, step])
        memory.taken_B += 1
        real_BND = latents_BTND[:, step + 1]
        towards = Lean(*dynamics.glyphs.what_came(run[step], real_BND), lean)
        drawing = (_EVALUATIONS, _TEMPERATURE, uniform_BTN[:, step], towards)
        dreamt_BND = sample(dynamics, features_BNE, run[step], *drawing).clamp(-1, 1)
        is_real_B = step + 1 < real_B
        strays_B = ((dreamt_BND - real_BND).square().mean(-1).amax(-1) > _STRAYED**2) & ~is_real_B
        back_B = strays_B & (strayed_B == _LEASH)
        strayed_B = torch.where(strays_B & ~back_B, strayed_B + 1, 0)
        run.append(torch.where((is_real_B | back_B)[:, None, None], real_BND, dreamt_BND))
    return torch.stack(run, dim=1)
