"""The latent cache: every frame of a split encoded once and settled: training the dynamics never runs the encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from data_gen.windows import Windows
from world_model.pixels import to_pixels
from world_model.tokenizer import Tokenizer
from world_model.training.settled import settle

_BATCH = 256


def latent_windows(windows: Windows, tokenizer: Tokenizer, folder: Path, progress: bool = False) -> Windows:
    """The same windows over latents float16 [N, D]; encodes what is not yet in `folder`.

    The file appears when it is whole: an encoding that was stopped begins anew.
    """
    file = folder / f"{windows.key}-settled.npy"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _encode(windows, tokenizer, file, progress)
    latents: npt.NDArray[np.float16] = np.load(file, mmap_mode="r")
    return windows.instead(latents)


@torch.inference_mode()
def _encode(windows: Windows, tokenizer: Tokenizer, file: Path, progress: bool) -> None:
    frames = windows.frames
    tokens = tokenizer.grid[0] * tokenizer.grid[1]
    unfinished = file.with_suffix(".unfinished")
    shape = (len(frames), tokens, tokenizer.width)
    latents = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    for first in tqdm(range(0, len(frames), _BATCH), desc="encoding", unit="batch", disable=not progress):
        pixels = to_pixels(torch.from_numpy(np.array(frames[first : first + _BATCH])))
        latents[first : first + _BATCH] = tokenizer.encode(pixels).numpy()
    flickers = settle(latents, windows.begins)
    if progress and flickers:
        tqdm.write(f"{flickers:,} flickers settled")
    latents.flush()
    unfinished.rename(file)
