"""Make a world's pictures better without touching what it dreams: only the decoder learns, latents stay as they are.

neural-env world finetune-decoder --world runs/pong/world --data recordings/pong --out runs/pong-sharper
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from data_gen.recording import Recording
from data_gen.windows import Windows
from world_model.bundle import load_world, save_world
from world_model.conv_tokenizer import ConvTokenizer
from world_model.hub import resolve_world
from world_model.training.fit import FitConfig, fit
from world_model.training.held_out import judge_tokenizer
from world_model.training.processes import joined_processes
from world_model.training.surprise_limit import set_surprise_limit
from world_model.training.tokenizer_task import TokenizerTask, TokenizerTaskConfig, still_picture


@dataclass(frozen=True)
class FinetuneDecoderConfig:
    """Train the decoder of a world on; the same command goes on where it was stopped."""

    world: str  # a folder, a game whose world ships, or hf:organisation/name@revision
    data: Path  # a recording
    out: Path  # the run's folder; the world comes to lie in <out>/world
    moving: float = 24.0  # what a pixel that moves weighs, beside 1
    standing_out: float = 8.0  # what one weighs that differs from the still picture
    fit: FitConfig = field(default_factory=lambda: FitConfig(batch=48, steps=4000, learning_rate=5e-4))
    device: str | None = None  # default: CUDA where there is one
    threads: int = 0  # torch threads; 0: as torch chooses


def finetune_decoder(config: FinetuneDecoderConfig) -> None:
    """Train, export, and say where the world lies."""
    if config.threads:
        torch.set_num_threads(config.threads)
    loaded = load_world(resolve_world(config.world))
    tokenizer = loaded.world.tokenizer
    if not isinstance(tokenizer, ConvTokenizer):
        raise ValueError(f"{config.world} has a tokenizer without learning; there is no decoder to train")
    with joined_processes(config.device) as processes:
        loaded.world.to(processes.device)
        windows = Windows.open(config.data, "train", length=1, seed=config.fit.seed, progress=True)
        tokenizer.set_still_picture(still_picture(windows)[1])
        task = TokenizerTask(tokenizer, TokenizerTaskConfig(config.moving, config.standing_out, decoder_only=True))
        about = {"world": loaded.digest, "data": windows.key, "weights": [config.moving, config.standing_out]}
        recording = Recording.open(config.data)
        judge = judge_tokenizer(recording, tokenizer)
        result = fit(
            task, windows, config.fit, config.out / "decoder", held_out=judge, about=about, processes=processes
        )
        result.average.copy_to(task.module)
        if processes.is_first:
            set_surprise_limit(loaded.world, recording)
            card = Path(resolve_world(config.world), "card.md").read_text()
            note = f"\n## Decoder\n\nTrained on for {result.step:,} steps with the rest of the world as it was.\n"
            save_world(config.out / "world", loaded.world.cpu(), loaded.simulator, loaded.starts, card + note, True)
            print(f"{config.out / 'world'}: its decoder has learned for {result.step:,} steps")
