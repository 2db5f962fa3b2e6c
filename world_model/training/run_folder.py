"""The folder of a training run: which run may go on in it, and by one writer at a time."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_gen.atomic import sweep_temporary, write_atomically


class ForeignRun(ValueError):
    """A folder in which another run was begun."""


@contextmanager
def locked_run(root: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Hold the folder for the run with these settings (in JSON types): begin it there, or go on if it is the same.

    The lock goes with the process, however it ends.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise ForeignRun(f"another process is training in {root}; wait for it or choose another folder") from fault
        sweep_temporary(root)
        _require_same(root / "config.json", json.loads(json.dumps(settings)))
        yield


def _require_same(file: Path, wanted: dict[str, Any]) -> None:
    if not file.exists():
        write_atomically(file, (json.dumps(wanted, indent=1, sort_keys=True) + "\n").encode())
        return
    before, now = (dict(_leaves(settings)) for settings in (json.loads(file.read_text()), wanted))
    changed = [
        f"{name} ({_shown(before, name)}, now {_shown(now, name)})"
        for name in sorted(before.keys() | now.keys())
        if _shown(before, name) != _shown(now, name)
    ]
    if changed:
        raise ForeignRun(
            f"{file} was begun with another {', '.join(changed)}; go on with the same settings or choose another folder"
        )


def _shown(leaves: Mapping[str, Any], name: str) -> str:
    return json.dumps(leaves[name]) if name in leaves else "none"


def _leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """What lies under each name, however deep, with the names that lead there."""
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
