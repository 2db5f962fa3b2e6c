"""The films of a server: a few, in a temporary folder, under names that nobody can guess."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from neural_env.play.film import LOG_SUFFIX

MAX_FILMS = 16  # of all players; the oldest makes room


class FilmShelf:
    """Holds the newest films until it is closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="neural-env-films-")
        self._files: OrderedDict[str, Path] = OrderedDict()  # of the videos; each has its log beside it
        self._lock = threading.Lock()

    def new_path(self, suffix: str) -> Path:
        """Where the next film may be written."""
        return Path(self._folder.name) / f"{secrets.token_urlsafe(12)}{suffix}"

    def put(self, video: Path) -> None:
        """A finished film."""
        with self._lock:
            self._files[video.name] = video
            while len(self._files) > MAX_FILMS:
                _, oldest = self._files.popitem(last=False)
                oldest.unlink(missing_ok=True)
                oldest.with_suffix(LOG_SUFFIX).unlink(missing_ok=True)

    def find(self, name: str) -> Path | None:
        """The video or log of that name, if it is here; no path is ever made from a name."""
        with self._lock:
            held = {file.name: file for video in self._files.values() for file in _with_log(video)}
        return held.get(name)

    def close(self) -> None:
        """Remove all of them."""
        self._folder.cleanup()


def _with_log(video: Path) -> tuple[Path, Path]:
    return video, video.with_suffix(LOG_SUFFIX)
