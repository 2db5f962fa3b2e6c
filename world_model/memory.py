"""What the dynamics remember of each lane: rings of the last frames' keys, values, latents and ticks, of fixed size."""

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
    recent_BSND: Tensor  # latents
    ticks_BSK: Tensor  # what was executed on them
    taken_B: Tensor  # int64: how many frames each lane has taken in

    @classmethod
    def empty(
        cls,
        lanes: int,
        shape_LNHRM: tuple[int, int, int, int, int],
        shape_SND: tuple[int, int, int],
        ticks: int,
        like: Tensor,
    ) -> Memory:
        """Rings that hold nothing yet, on the device and in the type of `like`."""
        layers, *rest = shape_LNHRM
        keys = like.new_zeros(layers, lanes, *rest)
        taken_B = torch.zeros(lanes, dtype=torch.int64, device=like.device)
        ticks_BSK = taken_B.new_zeros(lanes, shape_SND[0], ticks)
        return cls(keys, torch.zeros_like(keys), like.new_zeros(lanes, *shape_SND), ticks_BSK, taken_B)

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

    def write_run(self, layer: int, keys_BTNHM: Tensor, values_BTNHM: Tensor) -> None:
        """What a layer keeps of the first frames; `finish_run` says that they are in."""
        steps = keys_BTNHM.shape[1]
        self.keys_LBNHRM[layer, ..., :steps, :] = keys_BTNHM.permute(0, 2, 3, 1, 4)
        self.values_LBNHRM[layer, ..., :steps, :] = values_BTNHM.permute(0, 2, 3, 1, 4)

    def finish_run(self, latents_BTND: Tensor, executed_BTK: Tensor) -> None:
        """Keep the last of these latents and ticks, and count them all."""
        steps, stack = latents_BTND.shape[1], self.recent_BSND.shape[1]
        for step in range(max(0, steps - stack), steps):
            self.recent_BSND[:, step % stack] = latents_BTND[:, step]
            self.ticks_BSK[:, step % stack] = executed_BTK[:, step]
        self.taken_B += steps

    def stacked(self, latents_BND: Tensor, executed_BK: Tensor) -> tuple[Tensor, Tensor]:
        """Write the newest, and give them with those before them [B, S, N, D] and [B, S, K], the newest first.

        Where none were, zeros, and ticks that nobody knows.
        """
        stack = self.recent_BSND.shape[1]
        lane_B1 = torch.arange(len(latents_BND), device=latents_BND.device)[:, None]
        age_S = torch.arange(stack, device=latents_BND.device)
        newest_B = self.taken_B % stack
        self.recent_BSND[lane_B1[:, 0], newest_B] = latents_BND
        self.ticks_BSK[lane_B1[:, 0], newest_B] = executed_BK
        known_BS, place_BS = age_S <= self.taken_B[:, None], (self.taken_B[:, None] - age_S) % stack
        ticks_BSK = torch.where(known_BS[..., None], self.ticks_BSK[lane_B1, place_BS], -1)
        return self.recent_BSND[lane_B1, place_BS] * known_BS[..., None, None], ticks_BSK

    def select(self, lanes: Tensor) -> Memory:
        """A copy of some lanes, in the order asked for, a lane as often as it is named."""
        return Memory(
            self.keys_LBNHRM[:, lanes],
            self.values_LBNHRM[:, lanes],
            self.recent_BSND[lanes],
            self.ticks_BSK[lanes],
            self.taken_B[lanes],
        )

    def put(self, lanes: Tensor, other: Memory) -> None:
        """Overwrite some lanes by those of another memory."""
        self.keys_LBNHRM[:, lanes] = other.keys_LBNHRM
        self.values_LBNHRM[:, lanes] = other.values_LBNHRM
        self.recent_BSND[lanes] = other.recent_BSND
        self.ticks_BSK[lanes] = other.ticks_BSK
        self.taken_B[lanes] = other.taken_B

    @staticmethod
    def concatenated(parts: Sequence[Memory]) -> Memory:
        """The lanes of several memories after each other."""
        return Memory(
            torch.cat([part.keys_LBNHRM for part in parts], dim=1),
            torch.cat([part.values_LBNHRM for part in parts], dim=1),
            torch.cat([part.recent_BSND for part in parts]),
            torch.cat([part.ticks_BSK for part in parts]),
            torch.cat([part.taken_B for part in parts]),
        )
