"""Files that are either whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

_TEMPORARY = ".tmp"


def write_atomically(file: Path, data: bytes) -> None:
    """Write `data` to `file`: a temporary file beside it, synced, then renamed, and the folder synced.

    Whenever the process dies, `file` is the old one or the new one. Errors (a full disk, a read-only folder) are raised
    and leave no temporary file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(Path(folder) / "a.json", b"{}")
        ...     [path.name for path in Path(folder).iterdir()]
        ['a.json']
    """
    temporary = file.with_name(f"{file.name}{_TEMPORARY}{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(file.parent)


def sweep_temporary(folder: Path) -> None:
    """Remove what a killed process left half-written below `folder`."""
    for leftover in folder.rglob(f"*{_TEMPORARY}[0-9]*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """What has been renamed in `folder` keeps its name, whatever happens next."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
