"""The processes that train together, as `torchrun` started them; alone, nothing happens here.

torchrun --nproc-per-node 2 -m neural_env.command world train ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import nn

_PATIENCE = timedelta(hours=2)  # the others wait while the first process evaluates


@dataclass(frozen=True)
class Processes:
    """This process's place among `size`; every method is called by all of them at the same time."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def mean(self, values: Sequence[float]) -> list[float]:
        """Each value's mean over the processes, the same in all of them."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        means: list[float] = (total / self.size).tolist()
        return means

    def largest(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Each value's maximum over the processes, the same in all of them."""
        if self.size == 1:
            return values
        most = torch.from_numpy(values).to(self.device)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return most.cpu().numpy()

    def barrier(self) -> None:
        """Wait for all."""
        if self.size > 1:
            dist.barrier()

    def share(self, module: nn.Module) -> None:
        """Make every process's module the first one's."""
        if self.size > 1:
            for value in module.state_dict().values():
                shared = value.contiguous()
                dist.broadcast(shared.view(-1).view(torch.uint8), src=0)  # as bytes: gloo does not know every type
                value.copy_(shared)

    def average_gradients(self, module: nn.Module) -> None:
        """Make every process's gradients their mean: with equal shares of the rows, that of the mean over all rows."""
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        if self.size == 1 or not gradients:
            return
        total = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(total)
        means = torch.split(total / self.size, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))


ALONE = Processes(0, 1, torch.device("cpu"))


@contextmanager
def joined_processes(device: str | None = None) -> Iterator[Processes]:
    """Join the processes that the environment variables of `torchrun` name; wrap a whole command in it, once.

    Without a `device`, CUDA where there is one.
    """
    kind = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(0, 1, kind)
        return
    if kind.type == "cuda":
        kind = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(kind)
    dist.init_process_group("nccl" if kind.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(dist.get_rank(), size, kind)
    finally:
        dist.destroy_process_group()
