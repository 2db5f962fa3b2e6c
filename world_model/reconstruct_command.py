"""What a world's tokenizer makes of real frames: a picture, PSNR, and what a player would see of it.

neural-env world reconstruct --world runs/pong/world --data recordings/pong --out rebuilt.png
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

from data_gen.policy import Frames
from data_gen.probes import NoProbe, probe
from data_gen.windows import Windows
from world_model.bundle import load_world
from world_model.hub import resolve_world
from world_model.metrics.intervals import Estimate, estimate_of_sums
from world_model.metrics.psnr import moving_pixels, pooled_psnr, squared_errors
from world_model.metrics.things import ghosts, phantoms, presence_recall
from world_model.pixels import to_frames, to_pixels
from world_model.rollout_video import side_by_side
from world_model.tokenizer import Tokenizer

_BATCH = 128
_SHOWN = 6  # frames in the picture
_ERROR_SCALE = 8  # so that errors of a few levels can be seen


@dataclass(frozen=True)
class ReconstructConfig:
    """Encode and decode held-out frames, and say what is lost."""

    world: str  # a folder, a game whose world ships, or hf:organisation/name@revision
    data: Path  # a recording
    out: Path  # a picture: real | rebuilt | error, eight times enlarged
    split: str = "test"
    frames: int = 2000
    seed: int = 0


def reconstruct(config: ReconstructConfig) -> None:
    """Write the picture and print the figures, with 95 % intervals over episodes."""
    loaded = load_world(resolve_world(config.world))
    batch = Windows.open(config.data, config.split, length=1, seed=config.seed, progress=True).batch(0, config.frames)
    before, real = batch.frames[:, 0], batch.frames[:, 1]
    rebuilt = rebuilt_frames(loaded.world.tokenizer, real)
    figures = reconstruction_figures(loaded.world.config.game.name, before, real, rebuilt, batch.episodes)
    for name, figure in figures.items():
        print(f"{name:<28} {figure.value:8.4f}  ({figure.low:.4f} to {figure.high:.4f})")
    error = np.clip(np.abs(rebuilt.astype(np.int16) - real) * _ERROR_SCALE, 0, 255).astype(np.uint8)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(config.out, side_by_side(real[:_SHOWN], rebuilt[:_SHOWN], error[:_SHOWN]))
    print(f"{config.out}: real | rebuilt | error x {_ERROR_SCALE}")


@torch.no_grad()
def rebuilt_frames(tokenizer: Tokenizer, frames: Frames) -> Frames:
    """Frames [B, H, W, 3] encoded and decoded."""
    parts = [
        to_frames(tokenizer.decode(tokenizer.encode(to_pixels(torch.from_numpy(frames[first : first + _BATCH])))))
        for first in range(0, len(frames), _BATCH)
    ]
    return torch.cat(parts).numpy()


def reconstruction_figures(
    game: str, before: Frames, real: Frames, rebuilt: Frames, episodes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> dict[str, Estimate]:
    """PSNR in dB, and per thing that the game's probe knows: there when it is, there when it is not, there twice."""
    moving = squared_errors(rebuilt, real, moving_pixels(before, real))
    figures = {
        "psnr": estimate_of_sums(squared_errors(rebuilt, real), pooled_psnr, episodes),
        "psnr_moving": estimate_of_sums(moving, pooled_psnr, episodes),
    }
    try:
        read = probe(game)
    except NoProbe:
        return figures
    seen, real_seen = read(rebuilt), read(real)
    for name, place_BD in seen.things.items():
        figures[f"{name}_present"] = presence_recall(place_BD, real_seen.things[name]).share(episodes)
        figures[f"{name}_phantom"] = phantoms(place_BD, real_seen.things[name]).share(episodes)
    if hasattr(seen, "balls"):  # in games that never have more than one
        figures["ghost_balls"] = ghosts(seen.balls).share(episodes)
    return figures
