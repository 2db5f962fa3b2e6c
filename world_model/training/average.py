"""The exponential moving average of a module: what is evaluated and exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


class Average:
    """Parameters and buffers averaged over the steps, on the module's device.

    It begins as the module is. Integers (counters among the buffers) cannot be averaged and are taken over.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state: State = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the module as step number `step` left it; a young average forgets faster."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        pairs = [(self.state[name], value) for name, value in module.state_dict().items()]
        averaged = [(mean, value) for mean, value in pairs if mean.is_floating_point()]
        if averaged:
            means, values = zip(*averaged, strict=True)
            torch._foreach_lerp_(means, values, weight)
        for mean, value in pairs:
            if not mean.is_floating_point():
                mean.copy_(value)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a stored average."""
        _copy(state, self.state)

    def copy_to(self, module: nn.Module) -> None:
        """Make the module the average."""
        _copy(self.state, module.state_dict())

    @contextmanager
    def in_place_of(self, module: nn.Module) -> Iterator[None]:
        """The module is the average within, and to the bit what it was before afterwards."""
        own = {name: value.detach().clone() for name, value in module.state_dict().items()}
        self.copy_to(module)
        try:
            yield
        finally:
            _copy(own, module.state_dict())


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    if source.keys() != target.keys():
        raise ValueError(f"the states differ in {', '.join(sorted(source.keys() ^ target.keys()))}")
    for name, value in target.items():
        if value.shape != source[name].shape:
            raise ValueError(f"{name} has shape {list(source[name].shape)}; expected {list(value.shape)}")
        value.copy_(source[name])
