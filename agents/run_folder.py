"""The folder of a training run: what is where, and which run may go on in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_gen.atomic import write_atomically

# What may change from one resume to the next without changing what is learned.
_FREE = {
    "resume",
    "out",
    "steps",
    "threads",
    "processes",
    "evaluate_every",
    "evaluate_episodes",
    "evaluate_steps",
    "save_every",
    "record",
}


class RunFolder:
    """Where a run keeps its files; a config is in its plain form here, as it is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state.pt"
        self.policies = root / "policies"

    def kept(self) -> list[Path]:
        """The policies that were kept so far, in the order of training; without suffix."""
        return sorted(file.with_suffix("") for file in self.policies.glob("*.json"))

    def refuse_conflict(self, config: dict[str, Any]) -> None:
        """Refuse to write over a run, or to resume a different one."""
        file = self.root / "config.json"
        if config["resume"]:
            self._require_same(file, config)
        elif file.exists() and self.state.exists():  # one that was stopped before its first state begins again
            raise FileExistsError(
                f"{self.root} already holds a run; add --resume to continue it, or choose another --out"
            )

    def begin(self, config: dict[str, Any]) -> None:
        """Write down what this run is."""
        self.root.mkdir(parents=True, exist_ok=True)
        text = json.dumps(config, indent=1, sort_keys=True) + "\n"
        write_atomically(self.root / "config.json", text.encode())

    def _require_same(self, file: Path, wanted: dict[str, Any]) -> None:
        if not file.exists():
            raise FileNotFoundError(f"no run to resume in {self.root}: {file} is missing")
        before = json.loads(file.read_text())
        if changed := [key for key in wanted if key not in _FREE and wanted[key] != before.get(key)]:
            raise ValueError(f"{file} was begun with another {', '.join(changed)}; resume with the same settings")
