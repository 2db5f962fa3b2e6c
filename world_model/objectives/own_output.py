"""Training on the model's own output: a run whose later frames are what the model itself made of the earlier ones.

What is made is made without gradient; the loss then asks for the true next frame from there. This is what keeps a dream
from drifting: a model that has only ever seen real frames does not know how to mend its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.world import World


@torch.no_grad()
def dreamt_run(
    world: World,
    latents_BTND: Tensor,
    executed_BTK: Tensor,
    real_B: Tensor,
    noise_BTND: Tensor | None = None,
    evaluations: int = 1,
) -> Tensor:
    """The run [B, T, N, D] with its first `real` frames kept and the others dreamt, from noise if there is any.

    Costs one pass over the run, as each frame is taken in once, and the head's evaluations.
    """
    memory = world.dynamics.memory(len(latents_BTND))
    level_B = latents_BTND.new_zeros(len(latents_BTND))
    run = [latents_BTND[:, 0]]
    for step in range(latents_BTND.shape[1] - 1):
        features_BNE = world.dynamics.take_in(memory, run[step], level_B, executed_BTK[:, step])
        memory.taken_B += 1
        noise_BND = None if noise_BTND is None else noise_BTND[:, step]
        dreamt_BND = world.next_latents(features_BNE, run[step], noise_BND, evaluations)
        run.append(torch.where((step + 1 < real_B)[:, None, None], latents_BTND[:, step + 1], dreamt_BND))
    return torch.stack(run, dim=1)
