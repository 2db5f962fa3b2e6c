"""Watch an episode: a GIF or mp4 with step, action, reward and score drawn in.

neural-env data show recordings/pong --out pong.mp4
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
        yield _with_caption(enlarge(episode.frames[t]), lines)


def write_video(path: Path, pictures: Iterator[Frames] | tqdm[Frames], fps: int) -> None:
    """Write pictures [H, W, 3] as .mp4 (H.264) or .gif, whole or not at all."""
    if path.suffix not in (".mp4", ".gif"):
        raise ValueError(f"{path} must end in .mp4 or .gif")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished{path.suffix}")
    try:
        if path.suffix == ".gif":
            iio.imwrite(unfinished, list(pictures), duration=1000 / fps, loop=0)
        else:
            with iio.imopen(unfinished, "w", plugin="pyav") as video:
                video.init_video_stream("libx264", fps=fps)
                for picture in pictures:
                    video.write_frame(picture)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _with_caption(picture: Frames, lines: list[str]) -> Frames:
    height, width = picture.shape[:2]
    # H.264 wants even sides.
    canvas = np.zeros((height + height % 2 + _CAPTION_HEIGHT, width + width % 2, 3), np.uint8)
    canvas[:height, :width] = picture
    for row, line in enumerate(lines):
        below = (4, canvas.shape[0] - _CAPTION_HEIGHT + 16 + 18 * row)
        cv2.putText(canvas, line, below, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return canvas
