"""The five files of a bundle: all there, nothing besides, each plain and of the size and SHA-256 in the manifest.

Knows nothing of what is in them but the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from data_gen.atomic import write_atomically
from world_model.plain_config import InvalidConfig, from_plain, read_json, to_plain

FORMAT = 1
MANIFEST = "manifest.json"
MAX_BYTES = {
    "config.json": 1 << 20,
    "weights.safetensors": 1 << 30,  # half a billion parameters
    "starts.npz": 64 << 20,
    "card.md": 1 << 20,
    MANIFEST: 1 << 16,
}
_LISTED = frozenset(MAX_BYTES) - {MANIFEST}


class InvalidBundle(ValueError):
    """A world that is damaged or not one; the message names the file, what was found and what was expected."""


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What vouches for a bundle."""

    format: int
    files: dict[str, Entry]

    def to_json(self) -> bytes:
        """The manifest as it is written."""
        return to_json(to_plain(self))

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """The inverse of `to_json`; InvalidConfig for anything else."""
        plain = read_json(content)
        require_format(plain)
        manifest = from_plain(cls, plain)
        if manifest.files.keys() != _LISTED:
            raise InvalidConfig(f"its files are {sorted(manifest.files)}; expected {sorted(_LISTED)}")
        if manifest.to_json() != content:
            raise InvalidConfig("it is not written as this program writes it: it is damaged or was edited")
        return manifest


class BundleFiles:
    """A folder with the files of a bundle, each handed out only if it is what the manifest says."""

    def __init__(self, folder: Path, manifest: Manifest, digest: str) -> None:
        self.folder = folder
        self.manifest = manifest
        self.digest = digest  # SHA-256 of the manifest: names every byte

    @classmethod
    def open(cls, folder: Path) -> BundleFiles:
        """The files in `folder`, after all names and sizes were found right."""
        _require_five_files(folder)
        file = folder / MANIFEST
        _require_plain(file, MAX_BYTES[MANIFEST])
        content = file.read_bytes()
        try:
            manifest = Manifest.from_json(content)
        except InvalidConfig as fault:
            raise InvalidBundle(f"{file}: {shortened(fault)}; copy or make the world anew") from fault
        for name, entry in manifest.files.items():
            found = _require_plain(folder / name, MAX_BYTES[name])
            if found != entry.bytes:
                raise InvalidBundle(
                    f"{folder / name} has {found} bytes; {MANIFEST} says {entry.bytes}: copy or make the world anew"
                )
        return cls(folder, manifest, sha256(content))

    def read(self, name: str) -> bytes:
        """The content of one file."""
        content = (self.folder / name).read_bytes()
        found, expected = sha256(content), self.manifest.files[name].sha256
        if found != expected:
            raise InvalidBundle(
                f"{self.folder / name} is damaged: its SHA-256 is {found}, {MANIFEST} says {expected}: copy or make "
                "the world anew"
            )
        return content


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files of a bundle into an empty folder, the manifest last."""
    entries = {name: Entry(len(content), sha256(content)) for name, content in contents.items()}
    for name, content in {**contents, MANIFEST: Manifest(FORMAT, entries).to_json()}.items():
        write_atomically(folder / name, content)


def names_in(folder: Path) -> set[str]:
    """The names in a folder, or so many of them that it cannot be a bundle."""
    with os.scandir(folder) as entries:
        return {entry.name for entry in islice(entries, 100)}


def require_format(plain: Any) -> None:
    """Look at the version of the format before anything else: another one may have other fields."""
    found = plain.get("format") if isinstance(plain, dict) else None
    if type(found) is not int or found < 1:
        raise InvalidConfig(f"format is {found!r}; expected a number from 1 to {FORMAT}: no release has written this")
    if found > FORMAT:
        raise InvalidConfig(f"format is {found}; this version reads formats up to {FORMAT}: upgrade neural-env")


def to_json(plain: Mapping[str, Any]) -> bytes:
    """JSON as it stands in a bundle: one text for one content."""
    return (json.dumps(plain, indent=1, sort_keys=True) + "\n").encode()


def sha256(content: bytes) -> str:
    """The hash that the manifest lists."""
    return hashlib.sha256(content).hexdigest()


def shortened(fault: Exception) -> str:
    """A message, without pages of what somebody put into a file."""
    text = str(fault)
    return text if len(text) <= 500 else text[:497] + "..."


def _require_five_files(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no world in {folder}: it is no folder; make one with neural-env world train")
    found = names_in(folder)
    missing, extra = sorted(MAX_BYTES.keys() - found), sorted(found - MAX_BYTES.keys())
    if missing or extra:
        raise InvalidBundle(
            f"{folder} lacks {missing or 'nothing'} and has {extra[:3] or 'nothing'} besides; a world is exactly "
            f"{', '.join(MAX_BYTES)}: copy or make the world anew"
        )


def _require_plain(file: Path, limit: int) -> int:
    """The size of a plain file that is not too large."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidBundle(f"{file} is not a plain file but a link, a folder or a device; put the file itself there")
    if status.st_size > limit:
        raise InvalidBundle(f"{file} has {status.st_size} bytes; expected at most {limit}")
    return status.st_size
