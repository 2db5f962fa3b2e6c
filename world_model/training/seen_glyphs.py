"""Which glyphs a recording ever shows at which place.

Where few are known, those that never stay are left out: when Pong's score moves on, its old figure shines through the
new one for a single frame. A dream that draws this hardly finds out of it, as it has seldom seen how; the score is then
unreadable until the next point.
"""

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
_FEW = 1 / 64  # of all glyphs: of Pong's 8,192 a score's place knows 2 to 31, one in the field 1,100 to 1,700


def seen_glyphs(latents: npt.NDArray[Any], glyphs: Glyphs, folder: Path) -> Tensor:
    """To which glyphs tokens of latents [frames, N, D] changed [N, V], less flickers; found once, then in `folder`."""
    file = folder / f"seen-lasting-{glyphs.count}.npy"
    if not file.exists():
        content = io.BytesIO()
        np.save(content, _seen(latents, glyphs).cpu().numpy())
        write_atomically(file, content.getvalue())
    return torch.from_numpy(np.load(file))


def _seen(latents: npt.NDArray[Any], glyphs: Glyphs) -> Tensor:
    seen_NV, stayed_NV = torch.zeros_like(glyphs.seen_NV), torch.zeros_like(glyphs.seen_NV)
    for first in tqdm(range(0, len(latents) - 1, _AT_ONCE), "glyphs by place", leave=False):
        run_FND = torch.from_numpy(np.array(latents[first : first + _AT_ONCE + 2])).to(glyphs.contents_VD)
        # What an episode begins with counts, too: in its place stood what the one before ended with.
        changed_FN, glyph_FN = glyphs.what_came(run_FND[:-1], run_FND[1:])
        stays_FN = torch.cat([~changed_FN[1:], torch.zeros_like(changed_FN[:1])])  # of the last one nobody knows yet
        for came_FN, table_NV in ((changed_FN, seen_NV), (changed_FN & stays_FN, stayed_NV)):
            table_NV[came_FN.nonzero()[:, 1], glyph_FN[came_FN]] = True
    few_N = (seen_NV.float().mean(-1) < _FEW) & stayed_NV.any(-1)
    seen_NV[few_N] = stayed_NV[few_N]
    seen_NV[~seen_NV.any(-1)] = True  # of places where nothing ever changed nothing is known
    return seen_NV
