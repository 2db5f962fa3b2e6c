"""The loop that every stage of the world model is trained by: run it again in the same folder and it goes on.

    with joined_processes() as processes:
        result = fit(task, windows, FitConfig(steps=20_000, batch=64), Path("runs/tokenizer"), processes=processes)
    result.average.copy_to(task.module)

A run folder holds `config.json`, `journal.jsonl`, `tensorboard/`, `last/step_<n>.pt` (to go on from) and
`best/step_<n>.pt` (averaged weights). On the CPU a run that was interrupted, or killed, ends in the same bits as one
that was not, unless a wall-clock budget decides its schedule; on a GPU as far as its kernels repeat themselves. Several
processes see the data and the noise of one; on several machines the folder has to be shared.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from world_model.training.allocator import keep_freed_memory
from world_model.training.average import Average
from world_model.training.checkpoint import Best, Checkpoints, InvalidCheckpoint, load_state
from world_model.training.interruption import stop_request
from world_model.training.keeper import HeldOut, Keeper, KeeperConfig, Report
from world_model.training.learner import Learner, LearnerConfig
from world_model.training.prefetch import prefetched
from world_model.training.processes import ALONE, Processes
from world_model.training.run_folder import locked_run
from world_model.training.task import Source, Task


@dataclass(frozen=True)
class FitConfig(KeeperConfig, LearnerConfig):
    """One training run; what `KeeperConfig` declares may change from one resume to the next."""

    def __post_init__(self) -> None:
        LearnerConfig.__post_init__(self)
        KeeperConfig.__post_init__(self)


@dataclass(frozen=True)
class FitResult:
    """Where a run has ended."""

    step: int
    seconds: float
    average: Average
    last: Path  # checkpoint
    best: tuple[Best, ...]  # the best first; empty without a held-out metric


def fit(
    task: Task,
    source: Source,
    config: FitConfig,
    out: Path,
    *,
    held_out: HeldOut | None = None,
    report: Report | None = None,
    about: Mapping[str, Any] | None = None,
    frames_per_row: int = 1,
    processes: Processes = ALONE,
) -> FitResult:
    """Begin, go on with or recall the run in `out`; the module is left as its last step made it.

    `held_out` and `report` (given the averaged module and the step) run in the first process alone. `about` is what
    else the weights depend on, in JSON types: a folder that was begun with another is refused. `frames_per_row` tells
    the progress bar what a row is worth.

    Raises:
        KeyboardInterrupt: after SIGINT or SIGTERM, when the current step has ended and is saved.
        Diverged: where a loss is not finite; the last good checkpoint stays the last.
        ForeignRun: where `out` belongs to another run, or to another process.
    """
    keep_freed_memory()
    learner = Learner(task, config, processes)  # before the folder: a mistake in the settings leaves nothing behind
    with ExitStack() as held:
        if processes.is_first:
            held.enter_context(locked_run(out, _lasting(config, held_out, about)))
        processes.barrier()
        checkpoints = Checkpoints(out, config.keep_last, config.keep_best, held_out.better if held_out else "smaller")
        _resume(learner, checkpoints, out, processes)
        if learner.progress < 1:
            keeper = None
            if processes.is_first:
                keeper = Keeper(learner, checkpoints, config, out, held_out, report, frames_per_row)
                held.enter_context(closing(keeper))
            _train(learner, source, keeper, processes)
        processes.barrier()  # the last checkpoint is written
    last = checkpoints.newest()
    assert last is not None
    checkpoints.resume(load_state(last))  # the table, which only the first process has kept
    return FitResult(learner.step, learner.seconds, learner.average, last, checkpoints.best())


def _train(learner: Learner, source: Source, keeper: Keeper | None, processes: Processes) -> None:
    """Step until the end of the run or until a signal asks for one."""
    begun = time.monotonic() - learner.seconds
    learner.module.train()
    with stop_request() as stop, closing(prefetched(source, learner.spans())) as batches:
        while learner.progress < 1:
            figures = learner.learn(batches)
            # The processes' clocks and signals differ; what follows from them must not.
            learner.seconds, stopping = processes.mean([time.monotonic() - begun, float(stop.made)])
            if keeper is not None:
                keeper.after_step(figures)
            if stopping and learner.progress < 1:
                if keeper is not None:
                    keeper.save()
                raise KeyboardInterrupt(f"stopped after step {learner.step}; the same command goes on from there")


def _resume(learner: Learner, checkpoints: Checkpoints, out: Path, processes: Processes) -> None:
    newest = checkpoints.newest()
    if newest is not None:
        state = load_state(newest)
        try:
            learner.restore(state)
        except (RuntimeError, ValueError) as fault:
            raise InvalidCheckpoint(f"{newest} holds another module than the one that is trained: {fault}") from fault
        checkpoints.resume(state)
    if processes.mean([learner.step]) != [learner.step]:
        raise ValueError(f"the processes find different checkpoints in {out}; it has to be one folder that all share")


def _lasting(config: FitConfig, held_out: HeldOut | None, about: Mapping[str, Any] | None) -> dict[str, Any]:
    """What has to be the same at every resume."""
    return {
        **{field.name: getattr(config, field.name) for field in dataclasses.fields(LearnerConfig)},
        "metric": held_out.metric if held_out else None,
        "about": dict(about or {}),
    }
