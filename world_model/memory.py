"""What the dynamics remember of each lane: a ring of the last frames' keys and values, of constant size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Memory:
    """One ring a lane. Written in place: whoever wants to keep a moment clones it."""

    keys_LBNHRM: Tensor  # layers first: what one of them reads lies together
    values_LBNHRM: Tensor
    taken_B: Tensor  # int64: how many frames each lane has taken in

    @classmethod
    def empty(cls, lanes: int, shape_LNHRM: tuple[int, int, int, int, int], like: Tensor) -> Memory:
        """Rings that hold nothing yet, on the device and in the type of `like`."""
        layers, *rest = shape_LNHRM
        keys = like.new_zeros(layers, lanes, *rest)
        return cls(keys, torch.zeros_like(keys), torch.zeros(lanes, dtype=torch.int64, device=like.device))

    @property
    def slot_B(self) -> Tensor:
        """The place for each lane's next frame."""
        return self.taken_B % self.keys_LBNHRM.shape[4]

    @property
    def age_BR(self) -> Tensor:
        """How many steps ago each place was written, once the next frame is in.

        Places that were never written count as older than any.
        """
        reach = self.keys_LBNHRM.shape[4]
        place_R = torch.arange(reach, device=self.taken_B.device)
        age_BR = (self.taken_B[:, None] - place_R) % reach
        return torch.where(age_BR > self.taken_B[:, None], reach, age_BR)

    def select(self, lanes: Tensor) -> Memory:
        """A copy of some lanes, in the order asked for, a lane as often as it is named."""
        return Memory(self.keys_LBNHRM[:, lanes], self.values_LBNHRM[:, lanes], self.taken_B[lanes])

    def put(self, lanes: Tensor, other: Memory) -> None:
        """Overwrite some lanes by those of another memory."""
        self.keys_LBNHRM[:, lanes] = other.keys_LBNHRM
        self.values_LBNHRM[:, lanes] = other.values_LBNHRM
        self.taken_B[lanes] = other.taken_B

    @staticmethod
    def concatenated(parts: Sequence[Memory]) -> Memory:
        """The lanes of several memories after each other."""
        return Memory(
            torch.cat([part.keys_LBNHRM for part in parts], dim=1),
            torch.cat([part.values_LBNHRM for part in parts], dim=1),
            torch.cat([part.taken_B for part in parts]),
        )
