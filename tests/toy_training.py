"""A task that trains in milliseconds, for tests; as a script it is a warm process whose forks train it.

A fork of a process that has imported torch starts in milliseconds, so that it can be killed twenty times in seconds.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from world_model.training.draws import Draws
from world_model.training.fit import FitConfig, FitResult, HeldOut, fit
from world_model.training.processes import joined_processes


class CountingSource:
    """Item k is a function of k."""

    def batch(self, position: int, size: int) -> Tensor:
        counter = torch.arange(position, position + size, dtype=torch.float64)[:, None]
        return torch.sin(counter * torch.arange(1, 9)).float()


class ToyModule(nn.Module):
    """Linear regression through 8 hidden numbers, with a buffer that cannot be averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))
        with torch.random.fork_rng():
            torch.manual_seed(int(os.environ.get("RANK", "0")))  # all are to begin with the first one's
            self.layers = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.passes += 1
        outputs: Tensor = self.layers(inputs)
        return outputs


class ToyTask:
    """What the module is to do, with every kind of draw in it."""

    def __init__(self) -> None:
        self.module = ToyModule()

    def losses(self, batch: Tensor, draws: Draws) -> dict[str, Tensor]:
        noisy = batch + 0.1 * draws.normal(8) + 0.1 * draws.uniform(1) + 0.1 * draws.integers(3, 1)
        error = self.module(noisy) - batch.sum(1, keepdim=True)
        return {"loss": error.square().mean(), "absolute": error.abs().mean()}


def held_out_loss(module: nn.Module) -> dict[str, float]:
    """Of the averaged module, on items that training does not reach."""
    batch = CountingSource().batch(10**6, 32)
    return {"loss": float((module(batch) - batch.sum(1, keepdim=True)).square().mean())}


def toy_config(**changes: Any) -> FitConfig:
    settings: dict[str, Any] = {
        "batch": 8,
        "steps": 40,
        "learning_rate": 0.01,
        "warmup": 5,
        "evaluate_every": 10,
        "keep_best": 4,
        "journal_every": 1,
    }
    return FitConfig(**settings | changes)


def fit_toy(out: Path, task: Any = None, **changes: Any) -> FitResult:
    """Train the toy in `out`, as one of the processes that the environment names."""
    with joined_processes("cpu") as processes:
        held_out = HeldOut(held_out_loss, "loss")
        return fit(
            task or ToyTask(), CountingSource(), toy_config(**changes), out, held_out=held_out, processes=processes
        )


# ---- a warm process ------------------------------------------------------------------------------------------------


class WarmProcess:
    """Starts trainings by forking; an error goes to `<out>.error`, the steps of the best to `<out>.best<rank>`."""

    def __enter__(self) -> WarmProcess:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def started(self, out: Path, environment: Mapping[str, str] | None = None, **settings: Any) -> int:
        """Begin or resume a training in `out`. A setting of `largest_file` stands for a full disk."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"out": str(out), "environment": dict(environment or {}), "settings": settings}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def wait_for(process: int, seconds: float = 300.0) -> None:
    """Until the process has ended."""
    deadline = time.monotonic() + seconds
    while is_running(process):
        assert time.monotonic() < deadline, f"process {process} has not ended within {seconds} s"
        time.sleep(0.005)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _obey(order: dict[str, Any]) -> None:
    os.environ.update(order["environment"])
    out, settings = Path(order["out"]), order["settings"]
    if "largest_file" in settings:
        import resource

        largest = settings.pop("largest_file")
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    try:
        result = fit_toy(out, **settings)
        out.with_suffix(f".best{os.environ.get('RANK', '0')}").write_text(str([best.step for best in result.best]))
    except BaseException as fault:
        out.with_suffix(".error").write_text(f"{type(fault).__name__}: {fault}")


if __name__ == "__main__":
    import torch._dynamo
    import torch.utils.tensorboard  # both: what a training imports late, three seconds in all

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _obey(json.loads(line))
            os._exit(0)
        print(child, flush=True)
