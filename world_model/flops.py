"""What a frame costs, counted."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from world_model.sampler import sample
from world_model.world import World

_LANES = 16  # small batches are padded, which is not what a frame costs


@torch.inference_mode()
def flops_per_frame(world: World, evaluations: int = 1) -> int:
    """Floating-point operations of matrix products and convolutions for one step of one lane, decoder included."""
    dynamics = world.dynamics
    device = dynamics.place.device
    latents_BND = torch.zeros(_LANES, dynamics.tokens, world.tokenizer.width, device=device)
    zeros_B = torch.zeros(_LANES, device=device)
    executed_BK = torch.zeros(_LANES, dynamics.ticks, dtype=torch.int64, device=device)
    with FlopCounterMode(display=False) as counter:
        features_BNE = dynamics.take_in(dynamics.memory(_LANES), latents_BND, zeros_B, executed_BK)
        sample(dynamics, features_BNE, latents_BND, evaluations, 1.0, latents_BND[..., 0])
        world.outcome.probabilities(features_BNE, latents_BND, latents_BND)
        world.tokenizer.decode(latents_BND)
    total: int = counter.get_total_flops()
    return total // _LANES
