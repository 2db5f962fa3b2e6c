"""The state of a training run on disk: the only file of the package that reads a torch archive, and only tensors.

A file is one line (format, SHA-256 and length of the rest) and a torch archive. What does not match its line is refused
before torch sees it; `torch.load(weights_only=True)` without a fallback refuses what is hostile.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from data_gen.atomic import write_atomically

_FORMAT = 1
_FIRST_LINE = re.compile(rb"neural-env checkpoint (\d{1,9}) ([0-9a-f]{64}) (\d{1,15})\n")

Better = Literal["smaller", "larger"]


class InvalidCheckpoint(ValueError):
    """A training state that cannot be read; the message names the file, what was expected and what was found."""


@dataclass(frozen=True)
class Best:
    """One of the best averages so far."""

    step: int
    value: float  # of the held-out metric
    file: Path


@dataclass(frozen=True)
class TrainingState:
    """All that a run needs to go on to the bit: everything else follows from its config and `step`."""

    module: dict[str, Tensor]
    optimizer: dict[str, Any]
    average: dict[str, Tensor]
    step: int  # steps taken
    seconds: float  # spent on them
    best: list[tuple[int, float]]  # step and metric, the best first


def save_state(path: Path, state: TrainingState) -> None:
    """Write a state, whole or not at all."""
    # Not `dataclasses.asdict`: it copies tensors.
    _write(path, {field.name: getattr(state, field.name) for field in dataclasses.fields(state)})


def load_state(path: Path) -> TrainingState:
    """A state, its tensors on the CPU."""
    content = _read(path)
    expected = {field.name for field in dataclasses.fields(TrainingState)}
    if content.keys() != expected:
        raise InvalidCheckpoint(f"{path} holds {', '.join(sorted(content))}; expected {', '.join(sorted(expected))}")
    return TrainingState(**content)


def load_average(path: Path) -> dict[str, Tensor]:
    """The averaged weights in a state or in one of the best files."""
    average: dict[str, Tensor] = _read(path)["average"]
    return average


class Checkpoints:
    """The files of one run: the last states to go on from, and the best averages by a held-out metric."""

    def __init__(self, root: Path, keep_last: int, keep_best: int, better: Better) -> None:
        self._last, self._best = root / "last", root / "best"
        self._keep_last, self._keep_best = keep_last, keep_best
        self._sign = 1.0 if better == "smaller" else -1.0
        self.table: list[tuple[int, float]] = []

    def newest(self) -> Path | None:
        """The state to go on from, if there is one."""
        states = _by_step(self._last)
        return states[-1] if states else None

    def resume(self, state: TrainingState) -> None:
        """Go on with a state's table, less what someone has removed since."""
        self.table = [(step, value) for step, value in state.best if _file(self._best, step).exists()]

    def save(self, state: TrainingState) -> Path:
        """Write a state, then remove what is no longer kept: no state names a best file that is gone."""
        file = _file(self._last, state.step)
        save_state(file, state)
        _keep(self._last, _by_step(self._last)[-self._keep_last :])
        _keep(self._best, [best.file for best in self.best()])
        return file

    def offer(self, step: int, value: float, average: dict[str, Tensor]) -> None:
        """Keep this average if it is among the best; a value that is not finite is no measurement."""
        if not math.isfinite(value):
            return
        table = sorted([*self.table, (step, value)], key=lambda entry: (self._sign * entry[1], entry[0]))
        self.table = table[: self._keep_best]
        if (step, value) in self.table:
            _write(_file(self._best, step), {"average": average, "step": step, "value": value})

    def best(self) -> tuple[Best, ...]:
        """The best averages, the best first."""
        return tuple(Best(step, value, _file(self._best, step)) for step, value in self.table)


# ---- files --------------------------------------------------------------------------------------------------------


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    archive = buffer.getvalue()
    digest = hashlib.sha256(archive).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"neural-env checkpoint {_FORMAT} {digest} {len(archive)}\n".encode() + archive)


def _read(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    line = _FIRST_LINE.match(data)
    if line is None:
        raise InvalidCheckpoint(f"{path} begins with {data[:24]!r}; expected b'neural-env checkpoint'")
    version, expected, length = int(line[1]), line[2].decode(), int(line[3])
    if version != _FORMAT:
        raise InvalidCheckpoint(f"{path} has checkpoint format {version}; expected {_FORMAT}")
    archive = memoryview(data)[line.end() :]
    actual = hashlib.sha256(archive).hexdigest()
    if len(archive) != length or actual != expected:
        raise InvalidCheckpoint(
            f"{path} is damaged: it holds {len(archive)} bytes with SHA-256 {actual}; expected {length} with {expected}"
        )
    try:
        content: dict[str, Any] = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except Exception as fault:
        raise InvalidCheckpoint(f"{path} is not a checkpoint of this version: {fault}") from fault
    return content


def _file(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.pt"


def _by_step(folder: Path) -> list[Path]:
    return sorted(folder.glob("step_*.pt"), key=lambda file: int(file.stem.removeprefix("step_")))


def _keep(folder: Path, kept: list[Path]) -> None:
    for file in set(_by_step(folder)) - set(kept):
        file.unlink()
