"""Turn any video into a recording without actions.

    neural-env data import-video play.mp4 --out recordings/play --height 72 --width 96 --fps 15

Frames are decoded one by one as they are needed: a film of hours needs no more memory than a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import tyro
from tqdm import tqdm

from data_gen.atomic import write_atomically
from data_gen.episode import EpisodeBuilder
from data_gen.policy import Frames
from data_gen.recording import Manifest, describe, write_manifest


@dataclass(frozen=True)
class ImportConfig:
    """Import a video file."""

    video: tyro.conf.Positional[Path]
    out: Path  # a new recording
    height: int = 84
    width: int = 84
    fps: int = 15  # frames kept per second of video
    start: float = 0.0  # seconds
    end: float | None = None  # seconds; default: the end of the video
    crop: tuple[int, int, int, int] | None = None  # top, left, height, width in pixels of the video
    episode_steps: int = 1000  # a long video is cut into episodes of so many steps
    validation: float = 0.1  # share of the episodes

    def __post_init__(self) -> None:
        for name, holds in (
            ("height", 8 <= self.height <= 1024),
            ("width", 8 <= self.width <= 1024),
            ("fps", 1 <= self.fps <= 240),
            ("start", self.start >= 0),
            ("end", self.end is None or self.end > self.start),
            ("episode_steps", self.episode_steps >= 1),
            ("validation", 0 <= self.validation < 1),
        ):
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)!r}, which is out of range")


def import_video(config: ImportConfig) -> None:
    """Write the recording and say how much it holds."""
    if not config.video.is_file():
        raise FileNotFoundError(f"no video at {config.video}")
    if config.out.exists() and any(config.out.iterdir()):
        raise FileExistsError(f"{config.out} is not empty; choose another folder")
    files = list(_write_episodes(config))
    entries = tuple(describe(file, (config.out / file).read_bytes()) for file in sorted(files))
    source = {"video": config.video.name, "sha256": _digest(config.video), "start": config.start, "end": config.end}
    versions = {package: version(package) for package in ("neural-env", "av", "numpy", "opencv-python-headless")}
    manifest = Manifest((config.height, config.width), config.fps, None, source, versions, {}, entries)
    write_manifest(config.out, manifest)
    print(f"{config.out}: {sum(entry.steps + 1 for entry in entries)} frames in {len(entries)} episodes")


def frames_of(config: ImportConfig) -> Iterator[Frames]:
    """The video's frames at the wanted rate and size, decoded as they are asked for."""
    try:
        with av.open(str(config.video)) as container:
            yield from _sampled(container, config)
    except av.FFmpegError as fault:
        raise ValueError(f"{config.video} cannot be read as a video: {fault}") from fault


def _sampled(container: Any, config: ImportConfig) -> Iterator[Frames]:
    if not container.streams.video:
        raise ValueError(f"{config.video} has no picture stream")
    stream = container.streams.video[0]
    if config.start:
        container.seek(int(config.start * av.time_base))
    wanted = config.start  # the time of the next frame to keep
    for picture in container.decode(stream):
        if config.end is not None and picture.time >= config.end:
            return
        if picture.time + 1e-6 < wanted:
            continue
        frame = _fitted(picture.to_ndarray(format="rgb24"), config)
        # A video slower than the wanted rate shows a frame more than once.
        while wanted <= picture.time + 1e-6:
            wanted += 1 / config.fps
            yield frame


def _fitted(frame: Frames, config: ImportConfig) -> Frames:
    if config.crop is not None:
        top, left, height, width = config.crop
        if (
            min(top, left) < 0
            or top + height > frame.shape[0]
            or left + width > frame.shape[1]
            or min(height, width) < 1
        ):
            raise ValueError(f"crop {config.crop} leaves the picture, which is {frame.shape[0]}x{frame.shape[1]}")
        frame = frame[top : top + height, left : left + width]
    return np.asarray(cv2.resize(frame, (config.width, config.height), interpolation=cv2.INTER_AREA), np.uint8)


def _write_episodes(config: ImportConfig) -> Iterator[str]:
    frames = iter(tqdm(frames_of(config), unit="frame", desc=f"importing {config.video.name}"))
    for index, first in enumerate(frames):
        builder = EpisodeBuilder(first, {"video": config.video.name, "index": index})
        builder.add_variables({})
        for frame in frames:
            builder.add_unseen_step(frame, last=len(builder) + 1 == config.episode_steps)
            builder.add_variables({})
            if len(builder) == config.episode_steps:
                break
        if len(builder) == 0:  # a single frame left over is no episode
            return
        split = "validation" if np.random.default_rng(index).random() < config.validation else "train"
        file = f"{split}/{index:08d}.h5"
        (config.out / split).mkdir(parents=True, exist_ok=True)
        write_atomically(config.out / file, builder.to_bytes())
        yield file


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
