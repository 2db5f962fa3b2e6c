"""Begin with the weights of another world, whose local perceptron may be narrower.

begin_from(world, Path("runs/pong-world/world"))
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from world_model.bundle import load_world
from world_model.world import World


def begin_from(world: World, folder: Path) -> None:
    """Take over the weights of another world; an outcome head for other reward values begins anew.

    A local perceptron of fewer hidden units is widened: the new ones are as in a world that has learned nothing, where
    nobody hears them, so the world does what the other did.
    """
    other = load_world(folder).world
    ours, theirs = world.config, other.config
    widened = dataclasses.replace(theirs.dynamics, local=max(ours.dynamics.local, theirs.dynamics.local))
    for name, expected in (("game", theirs.game), ("tokenizer", theirs.tokenizer), ("dynamics", widened)):
        if getattr(ours, name) != expected:
            raise ValueError(
                f"the world in {folder} has another {name}: begin with the game and preset it was made of; only "
                f"preset.dynamics.local may be larger than its {theirs.dynamics.local}"
            )
    kept = {} if ours.outcome == theirs.outcome else dict(world.outcome.state_dict(prefix="outcome."))
    own = world.state_dict()
    taken = {name: _widened(value, own[name]) for name, value in other.state_dict().items() if name not in kept}
    world.load_state_dict({**taken, **kept})


def _widened(theirs: Tensor, ours: Tensor) -> Tensor:
    """Theirs, with what is ours where they have no units."""
    wide = ours.clone()
    wide[tuple(slice(0, size) for size in theirs.shape)] = theirs
    return wide
