"""Several recordings of one game as one, such as those of several days or rounds.

    neural-env data merge recordings/monday recordings/tuesday --out recordings/both

Episodes are numbered anew within their splits; their files are the same ones, linked where the disk allows it. Whoever
has a budget takes no more than `at_most` steps, whole episodes in their order.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from data_gen.recorder import manifest_of, sole_writer
from data_gen.recording import Entry, InvalidRecording, Manifest, Recording, summed_steps, write_manifest


@dataclass(frozen=True)
class MergeConfig:
    """Make one recording of several."""

    recordings: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    at_most: int | None = None  # steps; whole episodes, in their order


def merge_command(config: MergeConfig) -> None:
    """Merge, and say what came of it."""
    manifest = merge([Recording.open(root) for root in config.recordings], config.out, config.at_most)
    print(f"{config.out}: {len(manifest.episodes)} episodes, {summed_steps(manifest.episodes)} steps")


def merge(recordings: Sequence[Recording], out: Path, at_most: int | None = None) -> Manifest:
    """Write the merged recording to `out`; one that was stopped half-way is made anew."""
    if not recordings:
        raise ValueError("there is nothing to merge; name two recordings or more")
    game = recordings[0].manifest.game
    if game is None:
        raise ValueError(f"{recordings[0].root} is an imported video; only recordings of a game can be merged")
    for each in recordings[1:]:
        if each.manifest.game != game:
            raise ValueError(f"{each.root} is not of the same game, seen the same way, as {recordings[0].root}")
    with sole_writer(out):
        if (out / "manifest.json").exists() or (out / "plan.json").exists():
            raise FileExistsError(f"{out} already holds a recording; choose another folder")
        files = [_linked(recording, entry, out / name) for recording, entry, name in _named(recordings, at_most)]
        source = {"merged": [str(each.root) for each in recordings], "at_most": at_most}
        policies = {name: told for each in recordings for name, told in each.manifest.policies.items()}
        manifest = manifest_of(out, game, source, policies, [str(file.relative_to(out)) for file in files])
        write_manifest(out, manifest)
    return manifest


def _named(recordings: Sequence[Recording], at_most: int | None) -> list[tuple[Recording, Entry, str]]:
    """What is taken, with the name that it gets."""
    numbers: Counter[str] = Counter()
    taken, steps = [], 0
    for recording in recordings:
        for entry in recording.entries():
            if at_most is not None and steps + entry.steps > at_most:
                continue
            steps += entry.steps
            taken.append((recording, entry, f"{entry.split}/{numbers[entry.split]:08d}.h5"))
            numbers[entry.split] += 1
    if not taken:
        raise InvalidRecording(f"no episode of {recordings[0].root} has {at_most} steps or fewer")
    return taken


def _linked(recording: Recording, entry: Entry, file: Path) -> Path:
    """The same file under another name, after its hash was found right."""
    recording.checked_bytes(entry)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    try:
        os.link(recording.root / entry.file, file)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(recording.root / entry.file, file)
    return file
