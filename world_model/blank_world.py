"""The networks of a world without their numbers, made to be filled from a file.

Nothing is drawn that would be written over at once: loading is quick, and the global generator is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from world_model.plain_config import InvalidConfig
from world_model.world import World, WorldConfig

_DRAWS = {nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_}  # by nn.Embedding, nn.Linear and nn.Conv2d
_MAKERS = {torch.empty, torch.zeros, torch.ones, torch.full, torch.randn}
_BYTES = 4  # of a number


def blank_world(config: WorldConfig, max_bytes: int) -> World:
    """A world whose parameters hold anything; InvalidConfig as soon as its tensors would need more than `max_bytes`.

    The meta device would tell the sizes as well, but its first use imports for seconds and takes 80 MB (measured).
    """
    with _Frugal(max_bytes):
        return World(config)


class _Frugal(TorchFunctionMode):
    """While it is entered, torch fills no tensor with random numbers and makes none beyond the budget."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._budget = self._left = max_bytes

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        if func in _MAKERS:
            self._left -= _BYTES * math.prod(args[0] if isinstance(args[0], (tuple, list)) else args)
            if self._left < 0:
                raise InvalidConfig(f"it describes a world of more than {self._budget} bytes, which is too large")
        return func(*args, **kwargs) if func is not torch.randn else torch.empty(*args, **kwargs)
