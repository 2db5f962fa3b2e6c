"""Which contents of tokens the glyphs stand for: k-means over those that tokens of a latent cache change to."""

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
from world_model.glyphs import changes

_AT_ONCE = 4_000  # frames
_MOST = 200_000  # different tokens, the most frequent; of those that are equally so, whichever are drawn
# What comes often is to be met closely, or every picture is a little off, and what comes seldom, as a ball at the edge
# of a paddle, is not to be forgotten: a token counts as often as it is seen, to this power.
_FREQUENCY = 0.75
_TURNS = 4
_ROWS = 4096  # compared with all centres at a time


def typical_tokens(latents: npt.NDArray[Any], count: int, least_change: float, folder: Path) -> Tensor:
    """[count, D]: centres of what tokens change to in latents [frames, N, D]; found once, then read from `folder`."""
    file = folder / f"typical-{count}-{least_change:g}.npy"
    if not file.exists():
        content = io.BytesIO()
        different = _different(latents, least_change, np.random.default_rng(0))
        np.save(content, _centres(*different, count, torch.Generator().manual_seed(0)).numpy())
        write_atomically(file, content.getvalue())
    return torch.from_numpy(np.load(file))


def _different(latents: npt.NDArray[Any], least_change: float, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The different contents [X, D], and for how many frames each is seen [X].

    Not how often a token changes to it: a figure of a score comes once in a game, and is then seen for long.
    """
    parts = [
        _counted(*_changed_to(latents[first : first + _AT_ONCE], least_change))
        for first in tqdm(range(0, len(latents), _AT_ONCE), "different tokens", leave=False)
    ]
    tokens, counts = _counted(*map(np.concatenate, zip(*parts, strict=True)))
    # Where every token is seen but once, as in a game in three dimensions, the first in order are all of one kind.
    drawn = generator.permutation(len(counts))
    frequent = np.sort(drawn[np.argsort(-counts[drawn], kind="stable")[:_MOST]])
    return torch.from_numpy(tokens[frequent]).float(), torch.from_numpy(counts[frequent])


def _changed_to(run_FND: npt.NDArray[Any], least_change: float) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """What tokens of a run of frames change to [X, D], and for how many frames they then stay that [X].

    No other content is ever drawn, and what stands still would be the most frequent of all: see `recipes/README.md`.
    """
    frames_FND = torch.from_numpy(np.array(run_FND)).float()
    changed_FN = torch.ones(frames_FND.shape[:2], dtype=torch.bool)  # in its first frame everything is new
    changed_FN[1:] = changes(frames_FND[:-1], frames_FND[1:], least_change)
    place_X, frame_X = np.nonzero(changed_FN.T.numpy())
    begins_X = place_X * len(run_FND) + frame_X
    return run_FND[frame_X, place_X], np.diff(begins_X, append=changed_FN.numel()).astype(np.float64)


def _counted(tokens: npt.NDArray[Any], counts: npt.NDArray[np.float64]) -> tuple[npt.NDArray[Any], Any]:
    """Rows that are alike become one, and their counts a sum."""
    tokens = np.ascontiguousarray(tokens)
    as_bytes = tokens.view(np.dtype((np.void, tokens.dtype.itemsize * tokens.shape[1])))[:, 0]
    _, rows, which = np.unique(as_bytes, return_index=True, return_inverse=True)
    return tokens[rows], np.bincount(which, weights=counts)


def _centres(tokens_XD: Tensor, counts_X: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Begun far from each other (k-means++), then moved to the middle of what is nearest to each (Lloyd)."""
    weights_X = counts_X.float() ** _FREQUENCY
    centres_VD = tokens_XD[torch.multinomial(weights_X, 1, generator=generator)].repeat(count, 1)
    away_X = torch.full((len(tokens_XD),), torch.inf)
    for number in tqdm(range(1, count), "glyphs", leave=False):
        away_X = torch.minimum(away_X, (tokens_XD - centres_VD[number - 1]).square().sum(-1))
        if not away_X.any():
            return centres_VD  # fewer different tokens than glyphs: the others repeat one
        centres_VD[number] = tokens_XD[torch.multinomial(away_X * weights_X, 1, generator=generator)[0]]
    for _ in range(_TURNS):
        nearest_X = torch.cat([torch.cdist(rows, centres_VD).argmin(-1) for rows in torch.split(tokens_XD, _ROWS)])
        members_V = torch.zeros(count).index_add_(0, nearest_X, weights_X)
        sums_VD = torch.zeros_like(centres_VD).index_add_(0, nearest_X, tokens_XD * weights_X[:, None])
        centres_VD = torch.where(members_V[:, None] > 0, sums_VD / members_V[:, None].clamp(min=1e-9), centres_VD)
    return centres_VD
