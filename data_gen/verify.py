"""Is a recording what its manifest says, and does the game agree when it is played again?

neural-env data verify recordings/pong --replay 20
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from tqdm import tqdm

from data_gen.episode import Episode
from data_gen.recording import Entry, InvalidRecording, Recording

if TYPE_CHECKING:
    from data_gen.twin import Twin


@dataclass(frozen=True)
class VerifyConfig:
    """Check every file of a recording."""

    root: tyro.conf.Positional[Path]  # the recording
    replay: int = 0  # episodes to play again in the twin; -1 for all


def verify(config: VerifyConfig) -> int:
    """Print what is wrong, file by file; exit code 1 if anything is."""
    recording = Recording.open(config.root)
    faults = find_faults(recording)
    for fault in faults:
        print(fault)
    print(f"{len(recording.entries())} episodes checked, {len(faults)} faults")
    if faults or not config.replay:
        return 1 if faults else 0
    chosen = _spread(recording.entries(), config.replay)
    differing = [fault for fault in map(_Replayer(recording), tqdm(chosen, unit="episode", desc="replaying")) if fault]
    for fault in differing:
        print(fault)
    print(f"{len(chosen)} episodes played again, {len(differing)} differ")
    return 1 if differing else 0


def find_faults(recording: Recording) -> list[str]:
    """Every damaged, missing or unlisted file, one sentence each."""
    faults = []
    for entry in recording.entries():
        try:
            recording.load(entry)
        except InvalidRecording as fault:
            faults.append(str(fault))
    listed = {recording.root / entry.file for entry in recording.entries()}
    faults += [f"{file} is not in the manifest" for file in sorted(set(recording.root.glob("*/*.h5")) - listed)]
    return faults


def first_difference(episode: Episode, twin: Twin) -> str | None:
    """Play the episode's ticks again from its seed; says where the game first differs, or None."""
    if episode.executed is None or episode.rewards is None:
        return "it has no actions to play"
    frame, _ = twin.reset(seed=int(episode.provenance["reset_seed"]))
    if not np.array_equal(frame, episode.frames[0]):
        return "the first frame differs"
    for t, ticks in enumerate(episode.executed):
        frame, reward, terminated, _, _ = twin.advance(ticks)
        if not np.array_equal(frame, episode.frames[t + 1]):
            return f"frame {t + 1} differs"
        if reward != episode.rewards[t] or terminated != episode.terminated[t]:
            return f"reward or end of step {t} differs"
    return None


class _Replayer:
    """Plays entries again, all in one twin."""

    def __init__(self, recording: Recording) -> None:
        from data_gen.twin import Twin  # only a replay needs an emulator

        if recording.manifest.game is None:
            raise ValueError(f"{recording.root} is an imported video; no game can play it again")
        self._recording = recording
        self._twin = Twin(recording.manifest.game)

    def __call__(self, entry: Entry) -> str | None:
        fault = first_difference(self._recording.load(entry), self._twin)
        return f"{self._recording.root / entry.file}: {fault}" if fault else None


def _spread(entries: list[Entry], wanted: int) -> list[Entry]:
    """`wanted` entries, evenly spread over all; all of them for a negative number."""
    if wanted < 0 or wanted >= len(entries):
        return entries
    return [entries[int(place)] for place in np.linspace(0, len(entries) - 1, wanted)]
