"""SB3's figures as JSON lines that survive a resume, and as TensorBoard where that is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat


class JsonLines(KVWriter):
    """Appends one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a")

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """One line: the step and every number."""
        numbers = {
            key: float(value)
            for key, value in key_values.items()
            if isinstance(value, (int, float)) or hasattr(value, "item")
        }
        self._stream.write(json.dumps({"step": step, **numbers}) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def run_logger(folder: Path) -> Logger:
    """The logger of the run in `folder`."""
    writers: list[KVWriter] = [JsonLines(folder / "progress.jsonl")]
    if importlib.util.find_spec("tensorboard") is not None:
        writers.append(TensorBoardOutputFormat(str(folder / "tensorboard")))
    return Logger(str(folder), writers)
