"""A film of what is played: a video, and beside it the log of actions from which all of it can be played again."""

from __future__ import annotations

from pathlib import Path

from data_gen.policy import Frames
from data_gen.show import VideoFile
from neural_env.play.action_log import ActionLog, write_log

MAX_PICTURES = {".mp4": 9_000, ".gif": 450}  # ten minutes, and half a minute, of Pong; a GIF is held in memory
LOG_SUFFIX = ".json"


class Film:
    """One recording; `is_full` says when it must be finished."""

    def __init__(self, path: Path, fps: int, skipped: int) -> None:
        self._video = VideoFile(path, fps)
        self._left = MAX_PICTURES[path.suffix]
        self._shape: tuple[int, ...] = ()
        self.path = path
        self.skipped = skipped  # steps of the log that came before the first picture

    @property
    def is_full(self) -> bool:
        """Whether there is room for no more."""
        return self._left == 0

    def fits(self, picture: Frames) -> bool:
        """Whether the picture is as large as those before it, which a video wants."""
        return self._shape in ((), picture.shape)

    def add(self, picture: Frames) -> None:
        """The next picture."""
        self._shape = picture.shape
        self._video.write(picture)
        self._left -= 1

    def finish(self, log: ActionLog) -> Path:
        """Write video and log; returns the video's path."""
        write_log(self.path.with_suffix(LOG_SUFFIX), log)
        self._video.finish()
        return self.path

    def discard(self) -> None:
        """Leave nothing behind."""
        self._video.discard()
