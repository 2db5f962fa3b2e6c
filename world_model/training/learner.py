"""One optimizer step after another; knows nothing of files, clocks or signals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from world_model.training.average import Average
from world_model.training.checkpoint import TrainingState
from world_model.training.draws import Draws
from world_model.training.optimizer import make_optimizer
from world_model.training.processes import Processes
from world_model.training.schedule import progress, rate_scale
from world_model.training.task import Task


class Diverged(ArithmeticError):
    """A loss or gradient that is not finite."""


Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class LearnerConfig:
    """Everything on which the weights depend: the same for as long as a run lasts."""

    seed: int = 0
    batch: int = 32  # rows of a step, all processes together
    accumulate: int = 1  # micro-batches that a step's rows are split into
    steps: int = 10_000
    minutes: float | None = None  # wall-clock budget; the run ends with it or with the steps, whichever is first
    learning_rate: float = 3e-4  # its peak
    warmup: int = 200  # steps
    floor: float = 0.05  # where the decay ends, as a share of the peak
    weight_decay: float = 0.01  # of matrices and convolutions only
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0  # largest norm of the whole gradient
    average_decay: float = 0.999
    precision: Precision = "float32"  # of the losses' computation; weights stay float32

    def __post_init__(self) -> None:
        for name in ("batch", "accumulate", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes is {self.minutes}; expected more than 0, or none for no budget")


class Learner:
    """A task's module with its optimizer, its average, and how far it has come."""

    def __init__(self, task: Task, config: LearnerConfig, processes: Processes) -> None:
        if config.batch % (processes.size * config.accumulate):
            raise ValueError(
                f"batch is {config.batch}; expected a multiple of {processes.size * config.accumulate}: "
                f"{processes.size} processes with {config.accumulate} micro-batches each"
            )
        self.config = config
        self.module = task.module
        self.step = 0
        self.seconds = 0.0  # spent so far; whoever has the clock sets it after each step
        self.learning_rate = 0.0
        self._task, self._processes = task, processes
        processes.share(task.module)
        self.average = Average(task.module, config.average_decay)
        self._optimizer = make_optimizer(task.module, config.weight_decay, config.betas)
        self._device = next(task.module.parameters()).device
        self._rows = config.batch // (processes.size * config.accumulate)
        self._first_rows = [
            (processes.rank * config.accumulate + micro) * self._rows for micro in range(config.accumulate)
        ]

    @property
    def progress(self) -> float:
        """The share of the run that is behind it; 1 where it has ended."""
        return progress(self.step, self.config.steps, self.seconds, self.config.minutes)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Position and size of every micro-batch that this process is to see from here on."""
        for step in count(self.step):
            for first_row in self._first_rows:
                yield step * self.config.batch + first_row, self._rows

    def learn(self, batches: Iterator[Any]) -> dict[str, float]:
        """Take one step; its losses and gradient norm, as all processes together have them.

        Raises:
            Diverged: where one of them is not finite; weights, average and optimizer are then as they were.
        """
        sums = self._backward(batches)
        sums["gradient_norm"] = clip_grad_norm_(self.module.parameters(), self.config.clip)
        means = self._processes.mean(torch.stack(list(sums.values())).tolist())
        figures = dict(zip(sums, means, strict=True))
        self._refuse_non_finite(figures)
        self.learning_rate = self.config.learning_rate * rate_scale(
            self.step, self.progress, self.config.warmup, self.config.floor
        )
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.average.update(self.module, self.step)
        self.step += 1
        return figures

    def state(self, best: list[tuple[int, float]]) -> TrainingState:
        """Everything that a checkpoint holds."""
        return TrainingState(
            module=self.module.state_dict(),
            optimizer=self._optimizer.state_dict(),
            average=self.average.state,
            step=self.step,
            seconds=self.seconds,
            best=best,
        )

    def restore(self, state: TrainingState) -> None:
        """Go on from a checkpoint."""
        self.module.load_state_dict(state.module)
        self._optimizer.load_state_dict(state.optimizer)
        self.average.restore(state.average)
        self.step, self.seconds = state.step, state.seconds

    def _backward(self, batches: Iterator[Any]) -> dict[str, Tensor]:
        """Gradients of the mean over all rows, of all processes; the losses, each a mean over this process's rows."""
        config = self.config
        sums: dict[str, Tensor] = {}
        for first_row in self._first_rows:
            draws = Draws(config.seed, self.step, first_row, self._rows, config.batch, self._device)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                losses = self._task.losses(next(batches), draws)
            (losses["loss"] / config.accumulate).backward()  # type: ignore[no-untyped-call]
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0) + loss.detach().float() / config.accumulate
        self._processes.average_gradients(self.module)
        return sums

    def _refuse_non_finite(self, figures: dict[str, float]) -> None:
        wrong = [f"{name} is {value}" for name, value in figures.items() if not math.isfinite(value)]
        if wrong:
            raise Diverged(f"step {self.step}: {', '.join(wrong)}; no checkpoint holds this step's weights")
