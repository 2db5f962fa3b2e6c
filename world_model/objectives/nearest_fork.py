"""Which way a moment went: the one whose answer lies nearest to what came; it alone learns from it.

So each way comes to stand for one kind of future instead of all for the mean of them (winner takes all). Where the
likeliest way is right, there is nothing to choose: the ways are for what differs, and the others are not even asked.
"""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.world import World


@torch.no_grad()
def nearest_fork(
    world: World, features_XNE: Tensor, base_XND: Tensor, next_XND: Tensor, weights_XN: Tensor, right: float
) -> Tensor:
    """[X]: the likeliest way where every token of its answer is right, else the least wrong of all.

    A token is right if the root mean square of its error is at most `right`. At about 0.25 a decoder begins to lose a
    ball; what is less wrong is not another way to go on.
    """
    forks = world.dynamics.forks
    fork_X = forks.likeliest(features_XNE)
    if forks.count == 1:
        return fork_X
    answers_XND = world.next_latents(features_XNE, base_XND, fork_X).clamp(-1, 1)
    wrong_X = (answers_XND - next_XND).square().mean(-1).amax(-1) > right**2

    def each(rows_XN: Tensor) -> Tensor:
        return rows_XN[wrong_X].repeat_interleave(forks.count, dim=0)

    fork_Y = torch.arange(forks.count, device=fork_X.device).repeat(int(wrong_X.sum()))
    answers_YND = world.next_latents(each(features_XNE), each(base_XND), fork_Y).clamp(-1, 1)
    errors_YN = (answers_YND - each(next_XND)).square().mean(-1) * each(weights_XN)
    fork_X[wrong_X] = errors_YN.mean(-1).view(-1, forks.count).argmin(-1)
    return fork_X
