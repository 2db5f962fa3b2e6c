"""A recording: a folder of episode files and the manifest that vouches for each of them.

    recording = Recording.open("recordings/pong")
    episode = recording.load(recording.entries("train")[0])

    recordings/pong/
      manifest.json             written last: what is here, with the SHA-256 of every file
      plan.json                 written first: what this recording is going to be
      train/00000000.h5 ...     one episode each, whole or not there
      test/00000000.h5 ...

No file tells a time or a place: the same plan gives the same bytes. Imports neither Gymnasium nor an emulator.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_gen.atomic import write_atomically
from data_gen.episode import Episode, InvalidEpisode, read_episode
from data_gen.spec import GameSpec

SCHEMA = 1
SPLITS = ("train", "validation", "test")
_MAX_MANIFEST_BYTES = 256 << 20
_MAX_EPISODE_BYTES = 4 << 30
_FILE_NAME = re.compile(r"(train|validation|test)/[0-9]{8}\.h5")


class InvalidRecording(ValueError):
    """A recording that is damaged or not one; the message names the file, what was expected and what was found."""


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one episode."""

    file: str  # relative to the recording, such as "train/00000007.h5"
    sha256: str
    bytes: int
    steps: int
    total_reward: float
    terminated: bool
    policy: str

    @property
    def split(self) -> str:
        """Which split the episode belongs to."""
        return self.file.split("/")[0]


@dataclass(frozen=True)
class Manifest:
    """What a recording holds."""

    frame_size: tuple[int, int]
    fps: int
    game: GameSpec | None  # None for an imported video
    source: dict[str, Any]  # the plan, or where a video came from
    versions: dict[str, str]  # packages that made it
    policies: dict[str, dict[str, Any]]  # by name: what each is, with its hash
    episodes: tuple[Entry, ...] = ()
    schema: int = field(default=SCHEMA)

    def to_json(self) -> bytes:
        """The manifest as it is written, its own hash in it."""
        digest = hashlib.sha256(self._to_json("")).hexdigest()
        return self._to_json(digest)

    def _to_json(self, sha256: str) -> bytes:
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["game"] = self.game.to_dict() if self.game else None
        plain["episodes"] = [dataclasses.asdict(entry) for entry in self.episodes]
        return (json.dumps({**plain, "sha256": sha256}, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """The inverse of `to_json`; unknown and missing fields are refused by name, and so is any changed byte."""
        plain = json.loads(content)
        if not isinstance(plain, dict):
            raise ValueError(f"expected an object, found {type(plain).__name__}")
        if plain.get("schema") != SCHEMA:
            raise ValueError(f"schema is {plain.get('schema')!r}; this version reads schema {SCHEMA}")
        plain.pop("sha256", None)
        manifest = cls._from_plain(plain)
        if manifest.to_json() != content:
            raise ValueError("its SHA-256 does not fit: the file is damaged or was edited")
        return manifest

    @classmethod
    def _from_plain(cls, plain: dict[str, Any]) -> Manifest:
        _require_fields(cls, plain, "manifest")
        game = GameSpec.from_dict(plain["game"]) if plain["game"] is not None else None
        episodes = tuple(_entry(each) for each in plain["episodes"])
        if len({entry.file for entry in episodes}) != len(episodes):
            raise ValueError("an episode file is listed twice")
        return cls(**{**plain, "frame_size": tuple(plain["frame_size"]), "game": game, "episodes": episodes})


def _require_fields(kind: type, plain: dict[str, Any], where: str) -> None:
    wanted, found = {f.name for f in dataclasses.fields(kind)}, set(plain)
    if wanted != found:
        raise ValueError(f"{where}: unknown fields {sorted(found - wanted)}, missing fields {sorted(wanted - found)}")


def _entry(plain: Any) -> Entry:
    if not isinstance(plain, dict):
        raise ValueError(f"an episode is {plain!r}; expected an object")
    _require_fields(Entry, plain, "episode")
    if not isinstance(plain["file"], str) or not _FILE_NAME.fullmatch(plain["file"]):
        raise ValueError(f"episode file {plain['file']!r}; expected a name such as 'train/00000007.h5'")
    if type(plain["bytes"]) is not int or not 0 < plain["bytes"] <= _MAX_EPISODE_BYTES:
        raise ValueError(f"{plain['file']}: bytes is {plain['bytes']!r}; expected 1 to {_MAX_EPISODE_BYTES}")
    return Entry(**plain)


class Recording:
    """A finished recording, for reading. Every file is checked against its hash before anything in it is used."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.manifest = manifest

    @classmethod
    def open(cls, root: Path | str) -> Recording:
        """The recording in the folder `root`."""
        root = Path(root)
        file = root / "manifest.json"
        if not file.is_file():
            unfinished = (root / "plan.json").is_file()
            raise FileNotFoundError(
                f"{root} holds an unfinished recording; run the same record command again to finish it"
                if unfinished
                else f"no recording in {root}: {file} is missing"
            )
        if file.stat().st_size > _MAX_MANIFEST_BYTES:
            raise InvalidRecording(f"{file} has {file.stat().st_size} bytes; expected at most {_MAX_MANIFEST_BYTES}")
        try:
            return cls(root, Manifest.from_json(file.read_bytes()))
        except (ValueError, TypeError, KeyError, RecursionError) as fault:
            raise InvalidRecording(f"{file} is not a manifest: {fault}") from fault

    def entries(self, split: str | None = None) -> list[Entry]:
        """The episodes of a split, or of all."""
        if split is not None and split not in SPLITS:
            raise ValueError(f"split is {split!r}; expected one of {', '.join(SPLITS)}")
        return [entry for entry in self.manifest.episodes if split in (None, entry.split)]

    def load(self, entry: Entry) -> Episode:
        """One episode, after its file's hash was found right."""
        file = self.root / entry.file
        try:
            episode = read_episode(self.checked_bytes(entry), str(file))
        except InvalidEpisode as fault:
            raise InvalidRecording(str(fault)) from fault
        if len(episode) != entry.steps:
            raise InvalidRecording(f"{file} has {len(episode)} steps; the manifest says {entry.steps}")
        return episode

    def checked_bytes(self, entry: Entry) -> bytes:
        """The content of an episode's file, or InvalidRecording."""
        file = self.root / entry.file
        if file.is_symlink() or not file.is_file():
            raise InvalidRecording(f"{file} is missing or not a plain file; the manifest lists it")
        if (found := file.stat().st_size) != entry.bytes:
            raise InvalidRecording(f"{file} has {found} bytes; the manifest says {entry.bytes}")
        content = file.read_bytes()
        if (digest := hashlib.sha256(content).hexdigest()) != entry.sha256:
            raise InvalidRecording(f"{file} is damaged: its SHA-256 is {digest}, the manifest says {entry.sha256}")
        return content


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Publish a recording: from here on it is finished."""
    write_atomically(root / "manifest.json", manifest.to_json())


def describe(file: str, content: bytes) -> Entry:
    """The manifest's entry for an episode file with this content."""
    episode = read_episode(content, file)
    total = float(episode.rewards.sum()) if episode.rewards is not None else 0.0
    digest = hashlib.sha256(content).hexdigest()
    policy = str(episode.provenance.get("policy", ""))
    return Entry(file, digest, len(content), len(episode), total, bool(episode.terminated[-1]), policy)


def summed_steps(entries: Iterable[Entry]) -> int:
    """Steps of all these episodes."""
    return sum(entry.steps for entry in entries)
