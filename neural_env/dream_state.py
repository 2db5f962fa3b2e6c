"""A moment of dreaming lanes, to go back to or to begin from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from data_gen.policy import Frames
from world_model.lane_state import SimulatorState

_FORMAT = 1
_ABOUT = "about"
_ARRAYS = {
    "executed": np.int64,
    "steps": np.int64,
    "over": np.bool_,
    "odd_steps": np.int64,
    "start_index": np.int64,
    "frames": np.uint8,
}


class InvalidState(ValueError):
    """A state that is damaged, or that belongs to another world or another number of lanes."""


@dataclass(frozen=True, eq=False)
class DreamState:
    """Everything that decides the futures of B lanes, and belongs to nobody else: it may be kept as long as wanted.

    Without `random`, whoever restores it goes on with randomness of its own.
    """

    world: str  # the digest of the world that dreamed it
    simulator: SimulatorState  # never stepped: it would be used up
    random: tuple[Mapping[str, Any], ...] | None  # state of each lane's NumPy generator
    executed: npt.NDArray[np.int64]  # [B], the last tick's action: what stickiness repeats
    steps: npt.NDArray[np.int64]  # [B], since the episode began
    over: npt.NDArray[np.bool_]  # [B]
    odd_steps: npt.NDArray[np.int64]  # [B], the steps in a row, up to this one, whose surprise was above 1
    start_index: npt.NDArray[np.int64]  # [B], -1 where the episode did not begin at one of the world's starts
    frames: Frames  # [B, H, W, 3]

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self.steps)

    def select(self, lanes: Sequence[int]) -> DreamState:
        """Some lanes, in the order asked for, a lane as often as it is named."""
        chosen = list(lanes)
        random = None if self.random is None else tuple(self.random[lane] for lane in chosen)
        arrays = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return DreamState(self.world, self.simulator.select(chosen), random, **arrays)

    def reseeded(self, seeds: Sequence[int]) -> DreamState:
        """The same moment with other randomness ahead, one seed a lane."""
        generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
        noise = [int(generator.integers(2**63)) for generator in generators]
        return replace(
            self,
            simulator=self.simulator.reseeded(noise),
            random=tuple(each.bit_generator.state for each in generators),
        )

    def without_random(self) -> DreamState:
        """The same moment, with nothing said about the randomness ahead."""
        return replace(self, simulator=self.simulator.reseeded([0] * self.lanes), random=None)

    # ---- as bytes --------------------------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """All of it in safetensors format; equal states give equal bytes, and nothing in it is ever unpickled."""
        about = {"format": _FORMAT, "world": self.world, "random": self.random}
        try:
            text = json.dumps(about, sort_keys=True).encode()
        except TypeError as fault:
            raise InvalidState(f"of NumPy's generators, only PCG64 can be written down: {fault}") from fault
        tensors = {name: torch.from_numpy(np.ascontiguousarray(getattr(self, name))) for name in _ARRAYS}
        tensors |= {name: tensor.cpu().contiguous() for name, tensor in self.simulator.tensors().items()}
        return save_tensors({_ABOUT: torch.frombuffer(bytearray(text), dtype=torch.uint8), **tensors})

    @classmethod
    def from_bytes(cls, content: bytes) -> DreamState:
        """The inverse of `to_bytes`; whether it fits a world is found out when it is restored."""
        try:
            tensors = load_tensors(content)
            about = json.loads(tensors.pop(_ABOUT).numpy().tobytes())
            if about.keys() != {"format", "world", "random"} or about["format"] != _FORMAT:
                raise ValueError(f"its format is not {_FORMAT}")
            random = None if about["random"] is None else tuple(about["random"])
            arrays: dict[str, Any] = {
                name: tensors.pop(name).numpy().astype(kind, casting="safe") for name, kind in _ARRAYS.items()
            }
            simulator = SimulatorState.from_tensors(tensors)
            if simulator.tensors().keys() != tensors.keys():
                raise ValueError(f"it holds {sorted(tensors)}")
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as fault:
            raise InvalidState(f"these bytes are no state of a dream: {fault}") from fault
        return cls(str(about["world"]), simulator, random, **arrays)
