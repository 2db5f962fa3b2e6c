"""A moment of dreaming lanes, to go back to or to begin from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from data_gen.policy import Frames

_FORMAT = 1
_ABOUT = "about"
_SIMULATOR = ("keys", "values", "taken", "latents")
_GENERATORS = "generators"
_ARRAYS = {
    "executed": np.int64,
    "steps": np.int64,
    "over": np.bool_,
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
    simulator: Mapping[str, Tensor]  # memory and latents; with `random`, the generators of the lanes' noise
    random: tuple[Mapping[str, Any], ...] | None  # state of each lane's NumPy generator
    executed: npt.NDArray[np.int64]  # [B], the last tick's action: what stickiness repeats
    steps: npt.NDArray[np.int64]  # [B], since the episode began
    over: npt.NDArray[np.bool_]  # [B]
    start_index: npt.NDArray[np.int64]  # [B], -1 where the episode did not begin at one of the world's starts
    frames: Frames  # [B, H, W, 3]

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self.steps)

    def select(self, lanes: Sequence[int]) -> DreamState:
        """Some lanes, in the order asked for, a lane as often as it is named."""
        chosen = list(lanes)
        return DreamState(
            self.world,
            {name: tensor[chosen] for name, tensor in self.simulator.items()},
            None if self.random is None else tuple(self.random[lane] for lane in chosen),
            *(getattr(self, name)[chosen] for name in _ARRAYS),
        )

    def reseeded(self, seeds: Sequence[int]) -> DreamState:
        """The same moment with other randomness ahead, one seed a lane."""
        generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
        noise = [torch.Generator().manual_seed(int(generator.integers(2**63))).get_state() for generator in generators]
        return DreamState(
            self.world,
            {**self.simulator, _GENERATORS: torch.stack(noise)},
            tuple(generator.bit_generator.state for generator in generators),
            *(getattr(self, name) for name in _ARRAYS),
        )

    # ---- as bytes --------------------------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """All of it in safetensors format; equal states give equal bytes, and nothing in it is ever unpickled."""
        about = {"format": _FORMAT, "world": self.world, "random": self.random}
        try:
            text = json.dumps(about, sort_keys=True).encode()
        except TypeError as fault:
            raise InvalidState(
                f"only NumPy's PCG64 generator, Gymnasium's own, can be written down: {fault}"
            ) from fault
        arrays = {name: torch.from_numpy(np.ascontiguousarray(getattr(self, name))) for name in _ARRAYS}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in {**self.simulator, **arrays}.items()}
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
            aligned = {name: tensor.clone() for name, tensor in tensors.items()}  # in the file they lie at any address
            state = cls(str(about["world"]), aligned, random, **arrays)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
            raise InvalidState(f"these bytes are no state of a dream: {fault}") from fault
        state.require_whole()
        return state

    def require_whole(self) -> None:
        """InvalidState unless every part is there and has as many lanes as the others."""
        expected = {*_SIMULATOR, *([] if self.random is None else [_GENERATORS])}
        if self.simulator.keys() != expected:
            raise InvalidState(f"a state holds {sorted(self.simulator)}; expected {sorted(expected)}")
        parts: list[Any] = [*self.simulator.values(), self.frames, *filter(None, [self.random])]
        numbers = [getattr(self, name) for name in _ARRAYS if name != "frames"]
        if {len(part) for part in parts} != {self.lanes} or {each.shape for each in numbers} != {(self.lanes,)}:
            raise InvalidState("the parts of a state do not agree on the number of lanes")
