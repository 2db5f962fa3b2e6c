"""Training on the model's own output: a run whose later frames are what the model itself made of the earlier ones.

What is made is made without gradient; the loss then asks for the true next frame from there. This is what keeps a dream
from drifting: a model that has only ever seen real frames does not know how to mend its own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from world_model.sampler import sample
from world_model.world import World

_EVALUATIONS = 2  # for a dreamt frame: leaning on what came, its tokens seldom contradict each other
_TEMPERATURE = 1.0


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

    Of all that might follow, what did follow is dreamt where the model holds it for likely enough: a ball that was
    served to the other side would have the real frames ask for a jump, and the dream learn that balls jump. So the odds
    of the glyphs that came are raised by the factor exp(lean). Costs one pass over the run, as each frame is taken in
    once, and the evaluations of the head.
    """
    dynamics = world.dynamics
    memory = dynamics.memory(len(latents_BTND))
    level_B = latents_BTND.new_zeros(len(latents_BTND))
    run = [latents_BTND[:, 0]]
    for step in range(latents_BTND.shape[1] - 1):
        features_BNE = dynamics.take_in(memory, run[step], level_B, executed_BTK[:, step])
        memory.taken_B += 1
        real_BND = latents_BTND[:, step + 1]
        lean_BNV = lean * F.one_hot(dynamics.glyphs.nearest(real_BND), dynamics.glyphs.count)
        drawing = (_EVALUATIONS, _TEMPERATURE, uniform_BTN[:, step], lean_BNV)
        dreamt_BND = sample(dynamics, features_BNE, run[step], *drawing).clamp(-1, 1)
        run.append(torch.where((step + 1 < real_B)[:, None, None], real_BND, dreamt_BND))
    return torch.stack(run, dim=1)
