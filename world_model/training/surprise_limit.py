"""What is no surprise, learned from real frames that the tokenizer has not been trained on, if there are any."""

from __future__ import annotations

import torch

from data_gen.recording import Recording
from data_gen.windows import Windows
from world_model.world import World

_FRAMES = 4096
_SEED = 20_000


def set_surprise_limit(world: World, recording: Recording) -> None:
    """Needed anew whenever the tokenizer has changed."""
    split = "validation" if recording.entries("validation") else "train"
    frames = Windows(recording, split, 1, _SEED).batch(0, _FRAMES).frames[:, 0]
    world.calibrate_surprise(torch.from_numpy(frames).to(world.strangeness_limit.device))
