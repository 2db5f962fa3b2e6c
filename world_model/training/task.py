"""What the loop asks of a stage: something that can be minimised, and data to minimise it on."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from world_model.training.draws import Draws


class Task(Protocol):
    """A module and its losses.

    Whatever is random comes from `draws`, so no `nn.Dropout`: that reads the global generator, which no checkpoint
    keeps. Which parameters take part in a loss may depend on the step, but not on the rows, in which processes differ.
    """

    @property
    def module(self) -> nn.Module:
        """What is trained; it lies on its device before the loop begins."""
        ...

    def losses(self, batch: Any, draws: Draws) -> dict[str, Tensor]:
        """Scalars, each a mean over the rows of the batch; the one called "loss" is minimised, all are journalled."""
        ...


class Source(Protocol):
    """An endless stream whose k-th item is a function of its seed and k: a resumed run goes on at any position."""

    def batch(self, position: int, size: int) -> Any:
        """Items number position .. position + size - 1. Called from a thread of its own."""
        ...
