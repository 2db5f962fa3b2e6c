"""Where fire comes near in DoomTakeCover, for `world train --moments`: what a dream has to be right about.

python recipes/doom_fire.py --data recordings/doom --out runs/doom-fire.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tyro
from tqdm import tqdm

from data_gen.atomic import write_atomically
from data_gen.policy import Frames
from data_gen.recording import Recording

_RED, _GREEN = 180, 140  # above which a pixel is fire: walls and monsters are brown


@dataclass(frozen=True)
class Fire:
    """Name the steps that begin with much fire in sight: seen before what comes of it, so hits and misses alike."""

    data: Path
    out: Path
    least: int = 50  # pixels of fire; every ninth step of the recipes' recording has more

    def __call__(self) -> None:
        """Write the moments of the training split."""
        recording = Recording.open(self.data)
        entries = recording.entries("train")
        moments = {
            entry.sha256: np.flatnonzero(fire(recording.load(entry).frames[:-1]) > self.least).tolist()
            for entry in tqdm(entries, unit="episode")
        }
        write_atomically(self.out, (json.dumps(moments) + "\n").encode())
        named, steps = sum(map(len, moments.values())), sum(entry.steps for entry in entries)
        print(f"{self.out}: {named:,} of {steps:,} steps")


def fire(frames: Frames) -> npt.NDArray[np.int64]:
    """Pixels of fire in each frame."""
    burns = (frames[..., 0] > _RED) & (frames[..., 1] > _GREEN)
    return np.asarray(burns.sum((-2, -1)), np.int64)


if __name__ == "__main__":
    tyro.cli(Fire)()
