"""Whether lanes can be brought to a moment that was kept; clear errors for one of another world, or a spoiled one."""

from __future__ import annotations

from typing import Any

import numpy as np

from neural_env.dream_state import DreamState, InvalidState
from neural_env.shared_world import SharedWorld


def require_lanes(state: DreamState, count: int, shared: SharedWorld) -> None:
    """InvalidState unless it is a state of this world, of so many lanes or of one for all of them."""
    if not isinstance(state, DreamState):
        raise InvalidState(f"the state is a {type(state).__name__}; expected what clone_state gave")
    if state.world != shared.digest:
        raise InvalidState(f"the state is of world {state.world[:12]}; this is world {shared.digest[:12]}")
    if state.lanes not in (1, count):
        raise InvalidState(f"the state has {state.lanes} lanes; expected {count}, or 1 for all of them alike")


def require_parts(state: DreamState, own: DreamState, shared: SharedWorld) -> None:
    """InvalidState unless its parts have the shapes of a state of our own, and hold what this game knows."""
    expected, found = _shapes(own), _shapes(state)
    for name in expected:
        if found[name] != expected[name]:
            raise InvalidState(f"{name} of the state has shape {found[name]}; expected {expected[name]}")
    game, rewards = shared.world.config.game, shared.world.config.outcome.rewards
    if not np.isin(state.executed, np.arange(game.num_actions)).all():
        raise InvalidState(f"the state has executed {state.executed.tolist()}; those are no actions of this game")
    if not np.isin(state.simulator.memory.ticks_BSK.cpu().numpy(), np.arange(-1, game.num_actions)).all():
        raise InvalidState("the state remembers ticks with other actions than those of this game")
    known, paid = len(rewards), state.simulator.paid_BP
    if not ((paid >= 0) & (paid <= known)).all():
        raise InvalidState(f"the state was paid {paid.tolist()}; expected 0 to {known}, the classes of rewards")


def require_generators(state: DreamState, own: np.random.Generator) -> None:
    """InvalidState unless the lanes' generators can take those numbers, which is tried out on generators of nobody."""
    if state.random is None:
        return
    try:
        if len(state.random) != state.lanes:
            raise ValueError(f"there are {len(state.random)} for {state.lanes} lanes")
        for numbers in state.random:
            type(own.bit_generator)().state = numbers
    except (ValueError, TypeError, KeyError, OverflowError) as fault:
        raise InvalidState(f"the generators of the state cannot be restored: {fault}") from fault


def _shapes(state: DreamState) -> dict[str, list[int]]:
    """Of every part that has one."""
    parts: dict[str, Any] = {**vars(state), **state.simulator.tensors()}
    return {name: [*value.shape] for name, value in parts.items() if hasattr(value, "shape")}
