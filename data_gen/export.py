"""Hand a recording to other tools: Minari, Parquet, mp4. Needs the `export` extra for the first two.

neural-env data export recordings/pong --to parquet --out pong.parquet
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import imageio.v3 as iio
import numpy as np
import tyro
from tqdm import tqdm

from data_gen.episode import Episode
from data_gen.recording import Entry, Recording
from data_gen.show import write_video


@dataclass(frozen=True)
class ExportConfig:
    """Export a recording, or one split of it."""

    root: tyro.conf.Positional[Path]  # the recording
    to: Literal["minari", "parquet", "mp4"]
    out: str  # a folder (parquet, mp4) or a dataset id such as pong/recorded-v0 (minari)
    split: str | None = None


def export(config: ExportConfig) -> None:
    """Write the export and say where it is."""
    recording = Recording.open(config.root)
    entries = tqdm(recording.entries(config.split), unit="episode", desc=f"to {config.to}")
    {"minari": _to_minari, "parquet": _to_parquet, "mp4": _to_mp4}[config.to](recording, entries, config.out)
    print(f"{config.out}: {len(recording.entries(config.split))} episodes")


def _to_mp4(recording: Recording, entries: tqdm[Entry], out: str) -> None:
    """One H.264 file an episode, at model resolution. For looking at: the codec is lossy, the recording is not."""
    for entry in entries:
        frames = iter(recording.load(entry).frames)
        write_video(Path(out) / entry.file.replace(".h5", ".mp4"), frames, recording.manifest.fps)


def _to_parquet(recording: Recording, entries: tqdm[Entry], out: str) -> None:
    """One file an episode, one row a frame, the frame as PNG bytes: what the viewers of data hubs understand."""
    import pyarrow
    import pyarrow.parquet

    for entry in entries:
        file = Path(out) / entry.file.replace(".h5", ".parquet")
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = list(_rows(recording.load(entry), entry))
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file, write_page_checksum=True)


def _rows(episode: Episode, entry: Entry) -> Iterator[dict[str, Any]]:
    """Frame t with the action that follows it; the last frame has none."""
    for t, frame in enumerate(episode.frames):
        has_step = t < len(episode)
        yield {
            "episode": entry.file,
            "step": t,
            "frame": {"bytes": _png(frame), "path": None},
            "action": int(episode.actions[t]) if has_step and episode.actions is not None else None,
            "executed": episode.executed[t].tolist() if has_step and episode.executed is not None else None,
            "reward": float(episode.rewards[t]) if has_step and episode.rewards is not None else None,
            "terminated": bool(episode.terminated[t]) if has_step else None,
            "truncated": bool(episode.truncated[t]) if has_step else None,
        }


def _png(frame: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    iio.imwrite(buffer, frame, extension=".png")
    return buffer.getvalue()


def _to_minari(recording: Recording, entries: tqdm[Entry], out: str) -> None:
    """A local Minari dataset, losslessly (Minari's own default is JPEG)."""
    import gymnasium
    import minari
    from minari.data_collector import EpisodeBuffer

    game = recording.manifest.game
    if game is None:
        raise ValueError(f"{recording.root} is an imported video; Minari datasets need actions")
    with warnings.catch_warnings():
        # Minari asks for an author and a link to code; whoever publishes the dataset adds them.
        warnings.simplefilter("ignore", UserWarning)
        minari.create_dataset_from_buffers(
            dataset_id=out,
            buffer=[_minari_buffer(EpisodeBuffer, index, recording.load(entry)) for index, entry in enumerate(entries)],
            observation_space=gymnasium.spaces.Box(0, 255, (*game.frame_size, 3), np.uint8),
            action_space=gymnasium.spaces.Discrete(game.num_actions),
            algorithm_name=", ".join(recording.manifest.policies),
            jpeg_encoding=False,
        )


def _minari_buffer(kind: Any, index: int, episode: Episode) -> Any:
    assert episode.actions is not None
    assert episode.rewards is not None
    return kind(
        id=index,
        seed=int(episode.provenance["reset_seed"]),
        observations=list(episode.frames),
        actions=list(episode.actions),
        rewards=episode.rewards.tolist(),
        terminations=episode.terminated.tolist(),
        truncations=episode.truncated.tolist(),
    )
