"""Share a world.

neural-env world push runs/pong-world/world you/pong-world
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from world_model.hub import push_world


@dataclass(frozen=True)
class PushConfig:
    """Upload a world to the Hugging Face hub; you are logged in there (`hf auth login`)."""

    world: tyro.conf.Positional[Path]  # a folder
    repository: tyro.conf.Positional[str]  # organisation/name


def push(config: PushConfig) -> None:
    """Upload, and print the name that loads it from anywhere."""
    print(push_world(config.world, config.repository))
