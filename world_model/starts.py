"""Starts: real moments from which a dream can go on, and the way to bring the real game to each of them.

    starts = choose_starts(recording, "test", beginnings=32, middles=32, context=24, seed=0)
    state, frames = simulator.start(starts.contexts(), seeds)
    Twin(game).replay(starts[0].reset_seed, starts[0].prefix)       # shows the same moment: starts[0].frames[-1]

On disk they are an .npz of five plain arrays. Sizes are read from its headers and bounded before anything is
decompressed: at most 4,096 starts, 256 MiB an array.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from data_gen.episode import Episode
from data_gen.policy import Frames
from data_gen.recording import Entry, Recording
from data_gen.spec import GameSpec
from world_model.simulator import Context

_MAX_STARTS = 4096
_MAX_BYTES = 256 << 20  # of an array, decompressed
_MAX_DIRECTORY_BYTES = 1024  # of the zip's list of members: five short names
_MAX_HEADER_CHARACTERS = 256  # of an array's description
_CHANNELS = 3


class InvalidStarts(ValueError):
    """Starts that are damaged or cannot be made; the message names the part, what was found and what was expected."""


@dataclass(frozen=True, eq=False)
class Start:
    """The last frames before a moment of a real game, and all that was played until then."""

    frames: Frames  # uint8 [T, H, W, 3], the last one shows the moment
    reset_seed: int  # of the twin
    prefix: npt.NDArray[np.int64]  # [P, ticks per step], executed from the reset to the moment; P >= T - 1

    def __post_init__(self) -> None:
        if not 1 <= len(self.frames) <= len(self.prefix) + 1:
            raise InvalidStarts(
                f"a start has {len(self.frames)} frames and {len(self.prefix)} steps before the last; expected 1 frame "
                "or more, and a step between any two"
            )

    @property
    def executed(self) -> npt.NDArray[np.int64]:
        """The ticks that led from each frame to the next [T - 1, ticks per step]."""
        return self.prefix[len(self.prefix) - len(self.frames) + 1 :]

    @property
    def context(self) -> Context:
        """What a simulator starts from."""
        return Context(self.frames, self.executed)

    @property
    def kind(self) -> Literal["beginning", "middle"]:
        """Whether the game has just begun."""
        return "middle" if len(self.prefix) else "beginning"


class Starts(Sequence[Start]):
    """Starts of one game, in order."""

    def __init__(self, starts: Iterable[Start]) -> None:
        self._starts = tuple(starts)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Start]:
        return iter(self._starts)

    @overload
    def __getitem__(self, place: int) -> Start: ...
    @overload
    def __getitem__(self, place: slice) -> Starts: ...
    def __getitem__(self, place: int | slice) -> Start | Starts:
        return Starts(self._starts[place]) if isinstance(place, slice) else self._starts[place]

    def contexts(self) -> list[Context]:
        """What a simulator starts from, one each."""
        return [start.context for start in self._starts]

    def to_npz(self) -> bytes:
        """The file's content. Equal starts give equal bytes."""
        if not self._starts:
            raise InvalidStarts("there are no starts; expected 1 or more")
        file = io.BytesIO()
        np.savez_compressed(
            file,
            frames=np.concatenate([start.frames for start in self._starts]),
            frame_counts=np.array([len(start.frames) for start in self._starts], np.int64),
            ticks=np.concatenate([start.prefix for start in self._starts]).astype(np.uint8),
            step_counts=np.array([len(start.prefix) for start in self._starts], np.int64),
            reset_seeds=np.array([start.reset_seed for start in self._starts], np.int64),
        )
        return file.getvalue()

    @classmethod
    def from_npz(cls, content: bytes, game: GameSpec) -> Starts:
        """The inverse of `to_npz`; InvalidStarts if anything in it is not what starts of this game are."""
        try:
            arrays = _arrays(content, game)
        except (ValueError, KeyError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as fault:
            raise InvalidStarts(f"it holds no starts of {game.name}: {fault}") from fault
        frames = np.split(arrays["frames"], arrays["frame_counts"].cumsum()[:-1])
        prefixes = np.split(arrays["ticks"].astype(np.int64), arrays["step_counts"].cumsum()[:-1])
        return cls(map(Start, frames, arrays["reset_seeds"].tolist(), prefixes))


# ---- reading ------------------------------------------------------------------------------------------------------


def _arrays(content: bytes, game: GameSpec) -> dict[str, npt.NDArray[Any]]:
    """The five arrays, each found to fit the game and the others."""
    _require_short_directory(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = _rows(archive, game)
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        for counts, counted, least in (("frame_counts", "frames", 1), ("step_counts", "ticks", 0)):
            _require_shares(counts, loaded[counts], counted, rows[counted], least)
        arrays = {name: loaded[name] for name in rows}
    if arrays["ticks"].max(initial=0) >= game.num_actions:
        raise ValueError(f"ticks holds action {arrays['ticks'].max()}; expected 0 to {game.num_actions - 1}")
    if arrays["reset_seeds"].min() < 0:
        raise ValueError(f"reset_seeds holds {arrays['reset_seeds'].min()}; expected 0 or more")
    return arrays


def _require_shares(name: str, counts: npt.NDArray[np.int64], counted: str, rows: int, least: int) -> None:
    # Each one first: a sum of numbers without bounds may wrap around to anything.
    if counts.min() < least or counts.max() > rows or counts.sum() != rows:
        raise ValueError(f"{name} does not share out the {rows} rows of {counted}")


def _require_short_directory(content: bytes) -> None:
    """A zip may list millions of members, all of which Python reads before it lets anyone look."""
    end, before = content[-22:], content[-42:-22]
    size = int.from_bytes(end[12:16], "little")
    if end[:4] != b"PK\5\6" or before[:4] == b"PK\6\7" or size > _MAX_DIRECTORY_BYTES:
        raise ValueError("it is not a zip of five arrays as numpy writes it")


def _rows(archive: zipfile.ZipFile, game: GameSpec) -> dict[str, int]:
    """How many rows each array has; names, types, shapes and sizes are checked by the headers alone."""
    expected: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "frames": (np.uint8, (*game.frame_size, _CHANNELS)),
        "frame_counts": (np.int64, ()),
        "ticks": (np.uint8, (game.ticks_per_step,)),
        "step_counts": (np.int64, ()),
        "reset_seeds": (np.int64, ()),
    }
    found = sorted(member.filename for member in archive.infolist())
    if found != sorted(f"{name}.npy" for name in expected):
        raise ValueError(f"it holds {found}; expected the arrays {', '.join(expected)}")
    rows = {name: _rows_of(archive, name, dtype, shape) for name, (dtype, shape) in expected.items()}
    starts = {rows[name] for name in ("frame_counts", "step_counts", "reset_seeds")}
    if len(starts) != 1 or not 1 <= max(starts) <= _MAX_STARTS:
        raise ValueError(f"it describes {sorted(starts)} starts; expected one number from 1 to {_MAX_STARTS}")
    return rows


def _rows_of(archive: zipfile.ZipFile, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> int:
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > _MAX_BYTES:
        raise ValueError(f"{name} claims {member.file_size} bytes; expected at most {_MAX_BYTES}")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"{name} has array format {version}; expected (1, 0)")
        found, is_fortran, found_dtype = np.lib.format.read_array_header_1_0(stream, _MAX_HEADER_CHARACTERS)
        header = stream.tell()
    if found_dtype != np.dtype(dtype) or is_fortran or found[1:] != shape or not found:
        raise ValueError(f"{name} is {found_dtype} {found}; expected {np.dtype(dtype)} {('any', *shape)}")
    if header + math.prod(found) * found_dtype.itemsize != member.file_size:
        raise ValueError(f"{name} claims the shape {found}, which does not fit its {member.file_size} bytes")
    return int(found[0])


# ---- choosing -----------------------------------------------------------------------------------------------------


def choose_starts(recording: Recording, split: str, beginnings: int, middles: int, context: int, seed: int) -> Starts:
    """Starts from the episodes of a split, `beginnings` first, then `middles`; a shipped world's are held-out ones.

    A beginning is the frame of a reset, of as many different games. A middle is `context` frames up to a random moment
    at which the game is not over; the episodes of the split share them evenly.
    """
    if beginnings + middles < 1 or min(beginnings, middles) < 0 or context < 1:
        raise InvalidStarts(
            f"{beginnings} beginnings, {middles} middles of {context} frames; expected at least one start of 1 or more"
        )
    entries, generator = recording.entries(split), np.random.default_rng(seed)
    entries = [entries[place] for place in generator.permutation(len(entries))]
    shares = _shares([_moments(entry.steps, context) for entry in entries], middles)
    if beginnings > len(entries) or sum(shares) < middles:
        raise InvalidStarts(
            f"the {split} split of {recording.root} has {len(entries)} episodes with {sum(shares)} moments for "
            f"{middles} starts of {context} frames; asked for {beginnings} beginnings: record more, or ask for fewer"
        )
    first: list[Start] = []
    later: list[Start] = []
    for place, (entry, share) in enumerate(zip(entries, shares, strict=True)):
        if place < beginnings or share:
            episode = _replayable(recording, entry)
            first += [_start(episode, 0, 1)] if place < beginnings else []
            later += [_start(episode, moment, context) for moment in _drawn(episode, entry, share, context, generator)]
    return Starts([*first, *later])


def _moments(steps: int, context: int) -> int:
    """How many frames of a game of `steps` steps are neither its first nor its last and end `context` frames."""
    return max(0, steps - max(1, context - 1))


def _shares(capacities: list[int], wanted: int) -> list[int]:
    """How many of the `wanted` moments each episode gives: one each in turn, as long as it has any."""
    shares = [0] * len(capacities)
    while (left := wanted - sum(shares)) and (open_ := [i for i, most in enumerate(capacities) if shares[i] < most]):
        for place in open_[:left]:
            shares[place] += 1
    return shares


def _drawn(episode: Episode, entry: Entry, share: int, context: int, generator: np.random.Generator) -> list[int]:
    """`share` different moments of an episode, in order, of whose frames the game has shown each."""
    moments = np.arange(max(1, context - 1), len(episode))
    real = np.convolve(episode.real, np.ones(context, np.int64))[moments] == context
    if real.sum() < share:
        raise InvalidStarts(f"{entry.file} has {real.sum()} moments that the game has shown; expected {share}")
    return sorted(generator.choice(moments[real], share, replace=False).tolist())


def _replayable(recording: Recording, entry: Entry) -> Episode:
    episode = recording.load(entry)
    lacking = (
        "executed ticks" if episode.executed is None else "" if "reset_seed" in episode.provenance else "a reset seed"
    )
    if lacking:
        raise InvalidStarts(
            f"{recording.root / entry.file} lacks {lacking}: no game can be brought to its moments; choose starts from "
            "a recording that was played here"
        )
    return episode


def _start(episode: Episode, moment: int, context: int) -> Start:
    assert episode.executed is not None
    frames = episode.frames[moment + 1 - context : moment + 1].copy()
    return Start(frames, int(episode.provenance["reset_seed"]), episode.executed[:moment].copy())
