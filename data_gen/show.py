"""Watch an episode: a GIF or mp4 with step, action, reward and score drawn in.

neural-env data show recordings/pong --out pong.mp4
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
import tyro
from tqdm import tqdm

from data_gen.episode import Episode
from data_gen.picture import enlarge
from data_gen.policy import Frames
from data_gen.recording import SPLITS, Recording

_CAPTION_HEIGHT = 40  # pixels: two lines
_LINE_HEIGHT = 18
_WHITE = (235, 235, 235)


@dataclass(frozen=True)
class ShowConfig:
    """Write an episode of a recording as a video."""

    root: tyro.conf.Positional[Path]  # the recording
    out: Path  # ends in .mp4 or .gif
    episode: int = 0  # index within the split
    split: str | None = None  # default: the first split that has an episode
    first: int = 0  # first frame
    frames: int | None = None  # how many; default: all


def show(config: ShowConfig) -> None:
    """Write the video and say what it shows."""
    recording = Recording.open(config.root)
    split = config.split or next((name for name in SPLITS if recording.entries(name)), SPLITS[0])
    entries = recording.entries(split)
    if not 0 <= config.episode < len(entries):
        raise ValueError(f"no episode {config.episode} in {split}; it has {len(entries)}")
    episode = recording.load(entries[config.episode])
    spec = recording.manifest.game
    meanings = spec.action_meanings if spec else ()
    stop = len(episode.frames) if config.frames is None else min(len(episode.frames), config.first + config.frames)
    pictures = captioned(episode, meanings, config.first, stop)
    write_video(config.out, tqdm(pictures, total=stop - config.first, unit="frame"), recording.manifest.fps)
    file, fps = entries[config.episode].file, recording.manifest.fps
    print(f"{config.out}: {file}, frames {config.first} to {stop - 1}, {fps} fps")


def captioned(episode: Episode, meanings: tuple[str, ...], first: int, stop: int) -> Iterator[Frames]:
    """The frames first .. stop - 1, enlarged, each with what led to it written below."""
    totals = np.concatenate([[0], np.cumsum(episode.rewards)]) if episode.rewards is not None else None
    for t in range(first, stop):
        lines = [f"step {t}"]
        if t > 0 and episode.actions is not None and episode.rewards is not None and totals is not None:
            action = int(episode.actions[t - 1])
            lines[0] += f"  {meanings[action] if action < len(meanings) else action}"
            lines.append(f"reward {episode.rewards[t - 1]:+g}  sum {totals[t]:+g}")
        yield with_caption(enlarge(episode.frames[t]), lines)


def write_video(path: Path, pictures: Iterator[Frames] | tqdm[Frames], fps: int) -> None:
    """Write pictures [H, W, 3] as .mp4 (H.264) or .gif, whole or not at all."""
    video = VideoFile(path, fps)
    try:
        for picture in pictures:
            video.write(picture)
        video.finish()
    finally:
        video.discard()


class VideoFile:
    """A video that is written picture by picture; it bears its name once it is finished, and not before."""

    def __init__(self, path: Path, fps: int) -> None:
        if path.suffix not in (".mp4", ".gif"):
            raise ValueError(f"{path} must end in .mp4 or .gif")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._fps = path, fps
        self._unfinished = path.with_name(f".{path.name}.unfinished{path.suffix}")
        self._pictures: list[Frames] = []  # of a GIF, whose frames share what they have in common
        self._video: Any = None
        if path.suffix == ".mp4":
            self._video = iio.imopen(self._unfinished, "w", plugin="pyav")
            self._video.init_video_stream("libx264", fps=fps)

    def write(self, picture: Frames) -> None:
        """Add a picture [H, W, 3], for H.264 with even sides."""
        if self._video is None:
            self._pictures.append(picture)
        else:
            self._video.write_frame(picture)

    def finish(self) -> None:
        """Give the video its name."""
        if self._video is None:
            iio.imwrite(self._unfinished, self._pictures, duration=1000 / self._fps, loop=0)
        else:
            self._close()
        self._unfinished.replace(self._path)

    def discard(self) -> None:
        """Leave nothing behind of a video that was not finished."""
        self._close()
        self._unfinished.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._video is not None:
            self._video.close()


def with_caption(picture: Frames, lines: list[str]) -> Frames:
    """A picture with lines below it, with room for two at least, and with even sides."""
    height, width = picture.shape[:2]
    caption = _CAPTION_HEIGHT + _LINE_HEIGHT * max(0, len(lines) - 2)
    # H.264 wants even sides.
    canvas = np.zeros((height + height % 2 + caption, width + width % 2, 3), np.uint8)
    canvas[:height, :width] = picture
    for row, line in enumerate(lines):
        below = (4, canvas.shape[0] - caption + 16 + _LINE_HEIGHT * row)
        cv2.putText(canvas, line, below, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return canvas
