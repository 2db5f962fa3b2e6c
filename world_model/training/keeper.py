"""What the first process does besides: journal, progress bar, evaluation, reports and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from world_model.training.checkpoint import Better, Checkpoints
from world_model.training.journal import Journal
from world_model.training.learner import Learner

Report = Callable[[nn.Module, int], None]


@dataclass(frozen=True)
class HeldOut:
    """How a run is judged on data that it does not see."""

    evaluate: Callable[
        [nn.Module], Mapping[str, float]
    ]  # of the averaged module, in evaluation mode, without gradients
    metric: str  # which of these figures chooses the best
    better: Better = "smaller"


@dataclass(frozen=True)
class KeeperConfig:
    """What is kept of a run, and how often."""

    checkpoint_minutes: float = 5.0  # between checkpoints; there is one every `evaluate_every` steps as well
    keep_last: int = 2  # checkpoints to go on from
    keep_best: int = 3  # averages, by the held-out metric
    evaluate_every: int = 1000  # steps
    report_minutes: float = 10.0  # between reports (videos, curves)
    journal_every: int = 20  # steps
    wandb: str | None = None  # W&B project

    def __post_init__(self) -> None:
        for name in ("keep_last", "evaluate_every", "journal_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")


class Keeper:
    """Looks after one run."""

    def __init__(
        self,
        learner: Learner,
        checkpoints: Checkpoints,
        config: KeeperConfig,
        out: Path,
        held_out: HeldOut | None,
        report: Report | None,
        frames_per_row: int,
    ) -> None:
        self._learner, self._checkpoints, self._config = learner, checkpoints, config
        self._held_out, self._report = held_out, report
        self._frames_per_step = learner.config.batch * frames_per_row
        self._journal = Journal(out, learner.step, config.wandb)
        total = learner.config.steps if learner.config.minutes is None else None
        # On a terminal only; elsewhere the journal tells.
        self._bar = tqdm(total=total, initial=learner.step, desc=out.name, unit="step", disable=None)
        self._saved = self._reported = self._noted = learner.seconds
        self._noted_step = learner.step

    def after_step(self, figures: Mapping[str, float]) -> None:
        """Whatever is due after a step with these figures."""
        learner, config = self._learner, self._config
        has_ended = learner.progress >= 1
        self._bar.update()
        if has_ended or learner.step % config.journal_every == 0:
            self._note(figures)
        evaluates = has_ended or learner.step % config.evaluate_every == 0
        if self._held_out is not None and evaluates:
            self._evaluate(self._held_out)
        if evaluates or self._is_due(self._saved, config.checkpoint_minutes):
            self.save()
        if self._report is not None and (has_ended or self._is_due(self._reported, config.report_minutes)):
            with self._averaged_module() as module:
                self._report(module, learner.step)
            self._reported = learner.seconds

    def save(self) -> None:
        """Write a checkpoint."""
        self._checkpoints.save(self._learner.state(self._checkpoints.table))
        self._saved = self._learner.seconds

    def close(self) -> None:
        """Close journal and bar."""
        self._bar.close()
        self._journal.close()

    def _is_due(self, last: float, minutes: float) -> bool:
        return self._learner.seconds - last >= 60 * minutes

    def _note(self, figures: Mapping[str, float]) -> None:
        learner = self._learner
        steps, seconds = learner.step - self._noted_step, learner.seconds - self._noted
        rate = self._frames_per_step * steps / seconds
        self._noted_step, self._noted = learner.step, learner.seconds
        timing = {"learning_rate": learner.learning_rate, "seconds": learner.seconds, "frames_per_second": rate}
        self._journal.write(learner.step, {**figures, **timing})
        self._bar.set_postfix_str(f"loss {figures['loss']:.4g}, {rate:.0f} frames/s", refresh=False)

    def _evaluate(self, held_out: HeldOut) -> None:
        with self._averaged_module() as module:
            figures = held_out.evaluate(module)
        if held_out.metric not in figures:
            raise ValueError(f"the evaluation gives {', '.join(figures)}; expected {held_out.metric} among them")
        self._journal.write(self._learner.step, {f"held_out/{name}": value for name, value in figures.items()})
        self._checkpoints.offer(self._learner.step, figures[held_out.metric], self._learner.average.state)

    @contextmanager
    def _averaged_module(self) -> Iterator[nn.Module]:
        module = self._learner.module
        with self._learner.average.in_place_of(module), torch.no_grad():
            module.eval()
            try:
                yield module
            finally:
                module.train()
