"""What a frame costs, counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

import numpy as np
from torch.utils.flop_counter import FlopCounterMode

from world_model.simulator import Context, Simulator

_LANES, _STEPS = 16, 8  # small batches are padded, which is not what a frame costs


def flops_per_frame(simulator: Simulator, contexts: Sequence[Context]) -> int:
    """Floating-point operations of matrix products for one step of one lane, from latents to frame.

    Counted while it dreams on from these contexts: what changes little costs less.
    """
    spec, generator = simulator.world.config.game, np.random.default_rng(0)
    state, _ = simulator.start(list(islice(cycle(contexts), _LANES)), range(_LANES))
    with FlopCounterMode(display=False) as counter:
        for _ in range(_STEPS):
            actions = generator.integers(spec.num_actions, size=(_LANES, 1))
            state, _ = simulator.step(state, np.repeat(actions, spec.ticks_per_step, axis=1))
    total: int = counter.get_total_flops()
    return total // (_LANES * _STEPS)
