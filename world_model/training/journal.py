"""A run's figures: JSON lines that survive a resume, TensorBoard where it is installed, W&B where it is wanted."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from data_gen.atomic import write_atomically


class _Mirror(Protocol):
    """Somewhere else that the figures go."""

    def write(self, step: int, figures: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class Journal:
    """Appends one JSON object a line to `journal.jsonl`, and to every mirror."""

    def __init__(self, root: Path, step: int, wandb_project: str | None = None) -> None:
        """Go on after `step`: later lines, of steps that will be taken again, are cut."""
        file = root / "journal.jsonl"
        if file.exists():
            _cut(file, step)
        self._mirrors = _mirrors(root, step, wandb_project)
        self._stream = file.open("a")

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """One line: the step and every figure; what is not finite is written as null."""
        plain = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._stream.write(json.dumps({"step": step, **plain}) + "\n")
        self._stream.flush()
        for mirror in self._mirrors:
            mirror.write(step, figures)

    def close(self) -> None:
        """Close every file."""
        self._stream.close()
        for mirror in self._mirrors:
            mirror.close()


def _cut(file: Path, step: int) -> None:
    """Keep the lines up to `step`; a line that a kill has torn is the last one, and goes too."""
    kept = [line for line in file.read_bytes().splitlines(keepends=True) if _step_of(line) <= step]
    write_atomically(file, b"".join(kept))


def _step_of(line: bytes) -> float:
    if not line.endswith(b"\n"):
        return math.inf
    return float(json.loads(line)["step"])


# ---- mirrors ------------------------------------------------------------------------------------------------------


def _mirrors(root: Path, step: int, wandb_project: str | None) -> list[_Mirror]:
    mirrors: list[_Mirror] = []
    if importlib.util.find_spec("tensorboard") is not None:
        mirrors.append(_TensorBoard(root / "tensorboard", step))
    if wandb_project is not None:
        mirrors.append(_WeightsAndBiases(root, wandb_project))
    return mirrors


class _TensorBoard:
    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a second, and an extra: only where it is used

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    def __init__(self, root: Path, project: str) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise ValueError(f"W&B project {project!r} is wanted, but wandb is not installed: pip install wandb")
        wandb: Any = importlib.import_module("wandb")
        self._run = wandb.init(project=project, id=_run_id(root), resume="allow", dir=str(root))

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


def _run_id(root: Path) -> str:
    """The same at every resume."""
    file = root / "wandb_id.txt"
    if not file.exists():
        write_atomically(file, secrets.token_hex(8).encode())
    return file.read_text()
