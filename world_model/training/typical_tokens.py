"""Which contents of tokens the glyphs stand for: k-means over all the different ones in a latent cache."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from data_gen.atomic import write_atomically

_FRAMES = 160_000  # of the cache, evenly spread: what is rare, as a ball at the edge of a paddle, has to be among them
_AT_ONCE = 8_000
_APART = 0.25  # latents that round to the same multiples of this are one token: what is frequent counts no more
_MOST = 200_000  # different tokens, evenly spread; Pong has 50,000
_TURNS = 8
_ROWS = 4096  # compared with all centres at a time


def typical_tokens(latents: npt.NDArray[Any], count: int, folder: Path) -> Tensor:
    """[count, D]: centres of the different tokens in latents [frames, N, D]; found once, then read from `folder`."""
    file = folder / f"typical-{count}.npy"
    if not file.exists():
        content = io.BytesIO()
        np.save(content, _centres(_different(latents), count, torch.Generator().manual_seed(0)).numpy())
        write_atomically(file, content.getvalue())
    return torch.from_numpy(np.load(file))


def _different(latents: npt.NDArray[Any]) -> Tensor:
    chosen = np.unique(np.linspace(0, len(latents) - 1, _FRAMES).astype(np.int64))
    found: list[npt.NDArray[Any]] = []
    for rows in tqdm(np.array_split(chosen, -(-len(chosen) // _AT_ONCE)), "different tokens", leave=False):
        rounded = np.rint(latents[rows].astype(np.float32) / _APART).astype(np.int8)
        found = [np.unique(np.concatenate([*found, rounded.reshape(-1, rounded.shape[-1])]), axis=0)]
    evenly = np.unique(np.linspace(0, len(found[0]) - 1, _MOST).astype(np.int64))
    return torch.from_numpy(found[0][evenly].astype(np.float32)) * _APART


def _centres(tokens_XD: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Begun far from each other (k-means++), then moved to the middle of what is nearest to each (Lloyd)."""
    centres_VD = tokens_XD[torch.randint(len(tokens_XD), (count,), generator=generator)]
    away_X = torch.full((len(tokens_XD),), torch.inf)
    for number in range(1, count):
        away_X = torch.minimum(away_X, (tokens_XD - centres_VD[number - 1]).square().sum(-1))
        if not away_X.any():
            return centres_VD  # fewer different tokens than glyphs: the others repeat some
        centres_VD[number] = tokens_XD[torch.multinomial(away_X, 1, generator=generator)[0]]
    for _ in range(_TURNS):
        nearest_X = torch.cat([torch.cdist(rows, centres_VD).argmin(-1) for rows in torch.split(tokens_XD, _ROWS)])
        members_V = torch.zeros(count).index_add_(0, nearest_X, torch.ones(len(tokens_XD)))
        sums_VD = torch.zeros_like(centres_VD).index_add_(0, nearest_X, tokens_XD)
        centres_VD = torch.where(members_V[:, None] > 0, sums_VD / members_V[:, None].clamp(min=1), centres_VD)
    return centres_VD
