"""What is in a recording: steps, returns and lengths by split and policy.

neural-env data stats recordings/pong
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from data_gen.recording import Entry, Recording, summed_steps


@dataclass(frozen=True)
class StatsConfig:
    """Summarise a recording from its manifest."""

    root: tyro.conf.Positional[Path]  # the recording


def stats(config: StatsConfig) -> None:
    """Print a table: one line a split and policy."""
    recording = Recording.open(config.root)
    manifest = recording.manifest
    name = manifest.game.name if manifest.game else f"video {manifest.source.get('video', '')}"
    megabytes = sum(entry.bytes for entry in recording.entries()) / 1e6
    print(f"{name}, {manifest.frame_size[0]}x{manifest.frame_size[1]} at {manifest.fps} fps, {megabytes:.1f} MB")
    print(f"{'split':<11}{'policy':<28}{'episodes':>9}{'steps':>10}{'return':>9}{'min':>7}{'max':>7}{'length':>8}")
    for (split, policy), entries in sorted(_grouped(recording.entries()).items()):
        returns = np.array([entry.total_reward for entry in entries])
        print(
            f"{split:<11}{policy:<28}{len(entries):>9}{summed_steps(entries):>10}{returns.mean():>9.2f}"
            f"{returns.min():>7g}{returns.max():>7g}{summed_steps(entries) / len(entries):>8.0f}"
        )
    for split, total in _totals(recording).items():
        print(f"{split:<11}{'all':<28}{len(recording.entries(split)):>9}{total:>10}")


def _grouped(entries: list[Entry]) -> dict[tuple[str, str], list[Entry]]:
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.split, entry.policy), []).append(entry)
    return groups


def _totals(recording: Recording) -> dict[str, int]:
    return {split: summed_steps(recording.entries(split)) for split in sorted({e.split for e in recording.entries()})}
