"""The state of dreaming lanes: plain tensors and one random generator a lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from world_model.memory import Memory
from world_model.picture import Picture


@dataclass
class SimulatorState:
    """Memory, latents, their picture, what was paid, generators of B lanes: all there is to know of their futures."""

    memory: Memory
    latents_BND: Tensor
    picture: Picture
    paid_BP: Tensor  # classes of the last rewards, the newest last
    generators: list[torch.Generator]

    @classmethod
    def fresh(
        cls, memory: Memory, latents_BND: Tensor, picture: Picture, paid_BP: Tensor, seeds: Sequence[int]
    ) -> SimulatorState:
        """Lanes with generators of their own."""
        return cls(memory, latents_BND, picture, paid_BP, [torch.Generator().manual_seed(seed) for seed in seeds])

    def reseeded(self, seeds: Sequence[int]) -> SimulatorState:
        """The same lanes, not copied, with other randomness ahead."""
        return self.fresh(self.memory, self.latents_BND, self.picture, self.paid_BP, seeds)

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self.generators)

    def pay(self, which_B: Tensor) -> None:
        """Note the classes of a step's rewards."""
        self.paid_BP = torch.cat([self.paid_BP[:, 1:], which_B[:, None]], dim=1)

    def normal(self) -> Tensor:
        """Standard normal noise in the shape of the latents, each lane's from its own generator."""
        shape = self.latents_BND.shape[1:]
        noise = torch.stack([torch.randn(shape, generator=generator) for generator in self.generators])
        return noise.to(self.latents_BND)

    def uniform(self, count: int) -> Tensor:
        """Numbers [B, count] from 0 to 1, each lane's from its own generator."""
        return torch.stack([torch.rand(count, generator=generator) for generator in self.generators])

    def clone(self, same_random: bool = True) -> SimulatorState:
        """A copy that shares nothing; with `same_random=False` its generators begin anew, as those of fresh seeds."""
        copy = self.select(range(self.lanes))
        if not same_random:
            for generator in copy.generators:
                generator.seed()
        return copy

    def select(self, lanes: Sequence[int]) -> SimulatorState:
        """A copy of some lanes, in the order asked for, a lane as often as it is named."""
        chosen = torch.tensor(list(lanes), dtype=torch.int64, device=self.latents_BND.device)
        generators = [self.generators[lane].clone_state() for lane in lanes]
        return SimulatorState(
            self.memory.select(chosen),
            self.latents_BND[chosen],
            self.picture.select(chosen),
            self.paid_BP[chosen],
            generators,
        )

    def put(self, lanes: Sequence[int], other: SimulatorState) -> None:
        """Overwrite some lanes by those of another state; the others go on untouched."""
        chosen = torch.tensor(list(lanes), dtype=torch.int64, device=self.latents_BND.device)
        self.memory.put(chosen, other.memory)
        self.latents_BND = self.latents_BND.index_copy(0, chosen, other.latents_BND)
        self.picture = self.picture.with_lanes(chosen, other.picture)
        self.paid_BP = self.paid_BP.index_copy(0, chosen, other.paid_BP)
        for lane, generator in zip(lanes, other.generators, strict=True):
            self.generators[lane] = generator.clone_state()

    def tensors(self) -> dict[str, Tensor]:
        """All of it as named tensors, to be written down; `from_tensors` is the inverse."""
        return {
            "keys": self.memory.keys_LBNHRM,
            "values": self.memory.values_LBNHRM,
            "recent": self.memory.recent_BSND,
            "ticks": self.memory.ticks_BSK,
            "taken": self.memory.taken_B,
            "latents": self.latents_BND,
            "picture": self.picture.frames_BHWC,
            "strangeness": self.picture.strangeness_BN,
            "paid": self.paid_BP,
            "generators": torch.stack([generator.get_state() for generator in self.generators]),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> SimulatorState:
        """The inverse of `tensors`; copies."""
        state = cls.fresh(
            Memory(*(tensors[name].clone() for name in ("keys", "values", "recent", "ticks", "taken"))),
            tensors["latents"].clone(),
            Picture(tensors["picture"].clone(), tensors["strangeness"].clone()),
            tensors["paid"].clone(),
            [0] * len(tensors["latents"]),
        )
        for generator, saved in zip(state.generators, tensors["generators"], strict=True):
            generator.set_state(saved.clone())  # of a view, torch 2.13 reads past the end
        return state

    @staticmethod
    def concatenated(parts: Sequence[SimulatorState]) -> SimulatorState:
        """The lanes of several states after each other."""
        return SimulatorState(
            Memory.concatenated([part.memory for part in parts]),
            torch.cat([part.latents_BND for part in parts]),
            Picture.concatenated([part.picture for part in parts]),
            torch.cat([part.paid_BP for part in parts]),
            [generator for part in parts for generator in part.generators],
        )
