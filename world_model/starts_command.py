"""The stage `neural-env world starts`: the same world with other starts, from a recording of yours.

    neural-env world starts --world runs/pong/world --data recordings/pong --out runs/pong-for-agents

Agents that learn in a dream learn more from many beginnings than a world ships with. Starts from games that the world
has learned from are for that alone: what is measured there flatters the world, and the card says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_gen.recording import Recording
from world_model.bundle import load_world, save_world
from world_model.bundle_files import BundleFiles
from world_model.hub import resolve_world
from world_model.starts import Starts, choose_starts


@dataclass(frozen=True)
class StartsConfig:
    """Give a world other starts."""

    world: str  # a folder, a game whose world ships, or hf:organisation/name@revision
    data: Path  # a recording of the same game
    out: Path  # folder of the new world
    split: Literal["train", "validation", "test"] = "train"
    beginnings: int = 64  # games that begin; fewer where the split has fewer
    middles: int = 192  # moments within games; likewise
    seed: int = 0


def starts_command(config: StartsConfig) -> None:
    """Write the world with its new starts."""
    folder = resolve_world(config.world)
    loaded, recording = load_world(folder), Recording.open(config.data)
    game = loaded.world.config.game
    recorded = recording.manifest.game
    if recorded is None or recorded.replace(max_steps=game.max_steps) != game:
        raise ValueError(f"{config.data} is no recording of {game.name} as the world in {folder} sees it")
    starts = starts_from(recording, config.split, config.beginnings, config.middles, loaded.world.config.dynamics.reach)
    told = (
        f"\n\n## Starts\n\nThese {len(starts)} starts are from the {config.split} split of `{config.data.name}`, "
        f"chosen with seed {config.seed}."
    )
    if config.split == "train":
        told += " They are for agents to learn from: measuring at moments that a world has learned from flatters it."
    card = BundleFiles.open(folder).read("card.md").decode().rstrip() + told + "\n"
    save_world(config.out, loaded.world, loaded.simulator, starts, card)
    print(f"{config.out}: the world of {folder} with {len(starts)} starts from {config.data}")


def starts_from(recording: Recording, split: str, beginnings: int, middles: int, context: int, seed: int = 0) -> Starts:
    """As many as are wanted, or as there are."""
    entries = recording.entries(split)
    moments = sum(max(0, entry.steps - context) for entry in entries)
    return choose_starts(recording, split, min(beginnings, len(entries)), min(middles, moments), context, seed)
