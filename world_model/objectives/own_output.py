"""Training on the model's own output: a run whose later frames are what the model itself made of the earlier ones.

What is made is made without gradient; the loss then asks for the true next frame from there. This is what keeps a dream
from drifting: a model that has only ever seen real frames does not know how to mend its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.objectives.attention_to_change import change_weights
from world_model.objectives.nearest_fork import nearest_fork
from world_model.world import World

_STRIDE = 0.25  # of the flow, as in four evaluations


@torch.no_grad()
def dreamt_run(
    world: World,
    latents_BTND: Tensor,
    executed_BTK: Tensor,
    real_B: Tensor,
    noise_BTND: Tensor,
    hint_B: Tensor,
    changed: float,
    right: float,
) -> Tensor:
    """The run [B, T, N, D] with its first `real` frames kept and the others dreamt.

    Of all that might follow, something near to the real frame is dreamt: a ball that was served to the other side would
    have the real frames ask for a jump, and the dream learn that balls jump. So the way is taken that lies nearest, and
    the flow is entered at the time `hint`, where it sees as much of the real frame: 0 is nothing. Costs one pass over
    the run, as each frame is taken in once, and two evaluations of the head.
    """
    memory = world.dynamics.memory(len(latents_BTND))
    level_B = latents_BTND.new_zeros(len(latents_BTND))
    hint, stride_B = hint_B[:, None, None], torch.full_like(hint_B, _STRIDE)
    run = [latents_BTND[:, 0]]
    for step in range(latents_BTND.shape[1] - 1):
        features_BNE = world.dynamics.take_in(memory, run[step], level_B, executed_BTK[:, step])
        memory.taken_B += 1
        real_BND = latents_BTND[:, step + 1]
        weights_BN = change_weights(run[step], real_BND, changed)
        fork_B = nearest_fork(world, features_BNE, run[step], real_BND, weights_BN, right)
        taken_BNE = world.dynamics.forks.taken(features_BNE, fork_B)
        noisy_BND = (1 - hint) * noise_BTND[:, step] + hint * real_BND
        dreamt_BND = world.dynamics.predict(taken_BNE, run[step], noisy_BND, hint_B, stride_B).clamp(-1, 1)
        run.append(torch.where((step + 1 < real_B)[:, None, None], real_BND, dreamt_BND))
    return torch.stack(run, dim=1)
