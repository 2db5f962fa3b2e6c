"""Which glyphs a recording ever shows at which place."""

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
from world_model.glyphs import Glyphs

_AT_ONCE = 2_000  # frames


def seen_glyphs(latents: npt.NDArray[Any], glyphs: Glyphs, folder: Path) -> Tensor:
    """To which glyphs tokens of settled latents [frames, N, D] ever changed [N, V]; found once, then in `folder`."""
    file = folder / f"seen-settled-{glyphs.count}.npy"
    if not file.exists():
        content = io.BytesIO()
        np.save(content, _seen(latents, glyphs).cpu().numpy())
        write_atomically(file, content.getvalue())
    return torch.from_numpy(np.load(file))


def _seen(latents: npt.NDArray[Any], glyphs: Glyphs) -> Tensor:
    seen_NV = torch.zeros_like(glyphs.seen_NV)
    for first in tqdm(range(0, len(latents) - 1, _AT_ONCE), "glyphs by place", leave=False):
        run_FND = torch.from_numpy(np.array(latents[first : first + _AT_ONCE + 1])).to(glyphs.contents_VD)
        # What an episode begins with counts, too: in its place stood what the one before ended with.
        changed_FN, glyph_FN = glyphs.what_came(run_FND[:-1], run_FND[1:])
        seen_NV[changed_FN.nonzero()[:, 1], glyph_FN[changed_FN]] = True
    seen_NV[~seen_NV.any(-1)] = True  # of places where nothing ever changed nothing is known
    return seen_NV
