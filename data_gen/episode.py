"""One episode: what was seen, done and got, and its lossless form on disk (HDF5, one frame a chunk).

`frames[t]`, then `actions[t]`, then `rewards[t]`, `terminated[t]`, `frames[t + 1]`: N steps have N + 1 frames. Imports
neither Gymnasium nor an emulator.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames

_SCHEMA = 1
_DEFLATE_LEVEL = 1  # higher levels cost three times the time for a tenth of the size
_MAX_STEPS = 1_000_000
_MAX_SIDE = 1024


class InvalidEpisode(ValueError):
    """An episode whose parts do not fit together; the message names the part."""


@dataclass(frozen=True)
class Episode:
    """One game from reset to end. A video without actions has None where a game has actions and rewards."""

    frames: Frames  # [N + 1, H, W, 3]
    actions: npt.NDArray[np.int64] | None  # [N], what the policy chose
    executed: npt.NDArray[np.int64] | None  # [N, ticks per step], what stickiness let through on each tick
    rewards: npt.NDArray[np.float32] | None  # [N], raw
    terminated: npt.NDArray[np.bool_]  # [N], true at most at the end
    truncated: npt.NDArray[np.bool_]  # [N], true at most at the end
    real: npt.NDArray[np.bool_]  # [N + 1], false for a frame that the game never showed (Doom's last)
    variables: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)  # [N + 1] each: lives, health ...
    provenance: dict[str, Any] = field(default_factory=dict)  # seeds, policy: enough to play it again

    def __post_init__(self) -> None:
        steps = len(self)
        lengths = {"terminated": self.terminated, "truncated": self.truncated}
        lengths |= {n: a for n in ("actions", "executed", "rewards") if (a := getattr(self, n)) is not None}
        wrong = [f"{name} has {len(part)}" for name, part in lengths.items() if len(part) != steps]
        wrong += [f"{n} has {len(p)}" for n, p in {"real": self.real, **self.variables}.items() if len(p) != steps + 1]
        if wrong:
            raise InvalidEpisode(f"an episode of {steps} steps ({steps + 1} frames), but {', '.join(wrong)}")
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8 or steps < 1:
            raise InvalidEpisode(
                f"frames are {self.frames.dtype} {self.frames.shape}; expected uint8 [2 or more, H, W, 3]"
            )
        if self.terminated[:-1].any() or self.truncated[:-1].any():
            raise InvalidEpisode("an episode ends before its last step")

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.frames) - 1


class EpisodeBuilder:
    """Collects an episode step by step, frames compressed at once: a long game stays below a few megabytes."""

    def __init__(self, first_frame: Frames, provenance: Mapping[str, Any]) -> None:
        self._shape = first_frame.shape
        self._provenance = dict(provenance)
        self._chunks: list[bytes] = []
        self._columns: dict[str, list[Any]] = {}
        self._add_frame(first_frame)

    def __len__(self) -> int:
        """Steps so far."""
        return len(self._chunks) - 1

    def add_variables(self, variables: Mapping[str, float], real: bool = True) -> None:
        """What the emulator told with the newest frame."""
        self._append("real", real)
        for name, value in variables.items():
            self._append(f"variables/{name}", value)

    def add_step(
        self,
        action: int,
        executed: npt.NDArray[np.int64],
        reward: float,
        terminated: bool,
        truncated: bool,
        frame: Frames,
    ) -> None:
        """One step and the frame it led to."""
        values = {
            "actions": action,
            "executed": executed,
            "rewards": reward,
            "terminated": terminated,
            "truncated": truncated,
        }
        for name, value in values.items():
            self._append(name, value)
        self._add_frame(frame)

    def add_unseen_step(self, frame: Frames, last: bool) -> None:
        """The next frame of a video, whose actions nobody knows."""
        self._append("terminated", False)
        self._append("truncated", last)
        self._add_frame(frame)

    def to_bytes(self) -> bytes:
        """The file's content. Equal episodes give equal bytes: nothing in it tells a time or a place."""
        return _write(self._shape, self._chunks, self._columns, self._provenance)

    def _append(self, column: str, value: Any) -> None:
        self._columns.setdefault(column, []).append(value)

    def _add_frame(self, frame: Frames) -> None:
        self._chunks.append(zlib.compress(frame.tobytes(), _DEFLATE_LEVEL))


_COLUMN_TYPES = {
    "actions": np.uint8,
    "executed": np.uint8,
    "rewards": np.float32,
    "terminated": np.bool_,
    "truncated": np.bool_,
    "real": np.bool_,
}


def _write(
    shape: tuple[int, ...], chunks: list[bytes], columns: dict[str, list[Any]], provenance: dict[str, Any]
) -> bytes:
    # In memory first: HDF5's own writes neither sync nor report a full disk as such.
    with h5py.File("episode", "w", driver="core", backing_store=False) as file:
        file.attrs["schema"] = _SCHEMA
        for name in sorted(provenance):
            file.attrs[name] = provenance[name]
        frames = file.create_dataset(
            "frames",
            (len(chunks), *shape),
            np.uint8,
            chunks=(1, *shape),
            compression="gzip",
            compression_opts=_DEFLATE_LEVEL,
        )
        for t, chunk in enumerate(chunks):
            frames.id.write_direct_chunk((t, 0, 0, 0), chunk)
        for name in sorted(columns):
            file.create_dataset(name, data=np.array(columns[name], _COLUMN_TYPES.get(name, np.float32)))
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def read_episode(content: bytes, name: str = "episode") -> Episode:
    """The inverse of `EpisodeBuilder.to_bytes`; `name` is what errors call it.

    Example:
        >>> builder = EpisodeBuilder(np.zeros((8, 8, 3), np.uint8), {"seed": 1})
        >>> builder.add_variables({"lives": 3})
        >>> builder.add_step(2, np.array([2, 2]), 1.0, True, False, np.ones((8, 8, 3), np.uint8))
        >>> builder.add_variables({"lives": 2})
        >>> episode = read_episode(builder.to_bytes())
        >>> len(episode), episode.rewards.tolist(), episode.provenance
        (1, [1.0], {'seed': 1})
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _read(file)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as fault:
        raise InvalidEpisode(f"{name} is not an episode: {fault}") from fault


def _read(file: Any) -> Episode:
    attributes = {key: value.item() if hasattr(value, "item") else value for key, value in file.attrs.items()}
    schema = attributes.pop("schema", None)
    if schema != _SCHEMA:
        raise InvalidEpisode(f"schema is {schema!r}; this version reads schema {_SCHEMA}")
    shape = file["frames"].shape
    # Before anything is allocated: a header may claim any size.
    if len(shape) != 4 or not 2 <= shape[0] <= _MAX_STEPS + 1 or max(shape[1:]) > _MAX_SIDE:
        raise InvalidEpisode(f"frames claim the shape {shape}; at most {_MAX_STEPS} steps of {_MAX_SIDE} pixels a side")

    def column(name: str, dtype: Any) -> Any:
        if name not in file:
            return None
        if len(file[name]) > shape[0]:
            raise InvalidEpisode(f"{name} claims {len(file[name])} rows beside {shape[0]} frames")
        return np.asarray(file[name][()], dtype)

    variables = {name: column(f"variables/{name}", np.float32) for name in sorted(file.get("variables", {}))}
    return Episode(
        frames=np.asarray(file["frames"][()], np.uint8),
        actions=column("actions", np.int64),
        executed=column("executed", np.int64),
        rewards=column("rewards", np.float32),
        terminated=column("terminated", np.bool_),
        truncated=column("truncated", np.bool_),
        real=column("real", np.bool_),
        variables=variables,
        provenance=attributes,
    )
