"""Where fire comes near in DoomTakeCover, for `world train --moments`: what a dream has to be right about.

python recipes/doom_fire.py --data recordings/doom --out runs/doom-fire.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from data_gen.atomic import write_atomically
from data_gen.probes.doom_take_cover import read_doom_take_cover
from data_gen.recording import Entry, Recording


@dataclass(frozen=True)
class Fire:
    """Name the steps that begin with much fire in sight: seen before what comes of it, so hits and misses alike."""

    data: Path
    out: Path
    least: int = 40  # pixels of fire; every eighth step of the recipes' recording has more

    def __call__(self) -> None:
        """Write the moments of the training split."""
        recording = Recording.open(self.data)
        entries = recording.entries("train")
        moments = {entry.sha256: self._steps(recording, entry) for entry in tqdm(entries, unit="episode")}
        write_atomically(self.out, (json.dumps(moments) + "\n").encode())
        named, steps = sum(map(len, moments.values())), sum(entry.steps for entry in entries)
        print(f"{self.out}: {named:,} of {steps:,} steps")

    def _steps(self, recording: Recording, entry: Entry) -> list[int]:
        seen = read_doom_take_cover(recording.load(entry).frames[:-1])
        return [int(step) for step in np.flatnonzero(seen.fire > self.least)]


if __name__ == "__main__":
    tyro.cli(Fire)()
