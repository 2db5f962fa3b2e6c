"""Record while somebody else plays: a wrapper around a twin that writes each episode as it ends.

Used while agents learn, so that the data holds every skill on the way. What an agent does while it learns cannot be
repeated byte for byte, but each episode can still be played again from its seed and ticks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from data_gen.atomic import sweep_temporary, write_atomically
from data_gen.episode import EpisodeBuilder
from data_gen.player import add_step, begin_episode
from data_gen.policy import Frames
from data_gen.recorder import manifest_of, sole_writer
from data_gen.recording import Manifest, write_manifest
from data_gen.spec import GameSpec

_VALIDATION = 0.05  # share of the episodes


class LiveRecorder(gymnasium.Wrapper[Frames, Any, Frames, Any]):
    """Writes the episodes of one lane of `lanes`; every reset gets a seed of its own, so that it can be replayed."""

    def __init__(self, env: gymnasium.Env[Frames, Any], root: Path, policy: str, lane: int, lanes: int) -> None:
        super().__init__(env)
        self._root, self._policy, self._lane, self._lanes = root, policy, lane, lanes
        self._episode = _episodes_of(root, lane, lanes)
        self._seeds = np.random.default_rng(lane)
        self._builder: EpisodeBuilder | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frames, dict[str, Any]]:
        """A new game; one that was broken off is not written."""
        if seed is not None:
            # A run that goes on must not play its first games again.
            self._seeds = np.random.default_rng([seed, self._lane, self._episode])
        reset_seed = int(self._seeds.integers(2**31))
        frame, info = self.env.reset(seed=reset_seed, options=options)
        self._builder = begin_episode(frame, info, {"policy": self._policy, "reset_seed": reset_seed})
        return frame, info

    def step(self, action: Any) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        """A step of the twin, written down."""
        frame, reward, terminated, truncated, info = self.env.step(action)
        assert self._builder is not None
        add_step(self._builder, int(action), frame, float(reward), terminated, truncated, info)
        if terminated or truncated:
            self._write(self._builder)
        return frame, float(reward), terminated, truncated, info

    def _write(self, builder: EpisodeBuilder) -> None:
        index = self._episode * self._lanes + self._lane
        split = "validation" if np.random.default_rng(index).random() < _VALIDATION else "train"
        file = self._root / split / f"{index:08d}.h5"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, builder.to_bytes())
        self._episode += 1


def refuse_foreign(root: Path, goes_on: bool) -> None:
    """Refuse a folder whose recording a run did not begin itself: its manifest would be written over."""
    if (root / "plan.json").exists() or (not goes_on and any(root.glob("*/*.h5"))):
        raise FileExistsError(f"{root} already holds a recording; choose another folder")


def publish_live(root: Path, spec: GameSpec, source: dict[str, Any]) -> Manifest:
    """Write the manifest over all episodes that are there; later episodes may join and be published again."""
    with sole_writer(root):
        sweep_temporary(root)
        files = sorted(str(file.relative_to(root)) for file in root.glob("*/*.h5"))
        manifest = manifest_of(root, spec, source, {}, files)
        write_manifest(root, manifest)
    return manifest


def _episodes_of(root: Path, lane: int, lanes: int) -> int:
    """How many episodes this lane has written before."""
    return sum(int(file.stem) % lanes == lane for file in root.glob("*/*.h5"))
