"""How far a dream has left the data: what showing its latents and looking at the picture again does to them.

The tokenizer has learned to bring latents back to those of real frames, so latents that it leaves alone are like those
of real frames, and what it moves, it has not seen: half a ball at the edge of a square, digits between two scores. What
is missing altogether (a dream without a ball) is nothing that this could see.
"""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.pixels import to_frames, to_pixels
from world_model.tokenizer import Tokenizer

LEAST_LIMIT = 1e-6  # where latents are pixels, nothing is moved but by rounding
_RARE = 0.999
_AT_ONCE = 256  # frames


def strangeness(tokenizer: Tokenizer, latents_BND: Tensor, frames_BHWC: Tensor) -> Tensor:
    """By how much the worst token of each frame is moved, squared [B]; the frames are those of the latents."""
    again_BND = tokenizer.encode(to_pixels(frames_BHWC))
    moved_B: Tensor = (again_BND - latents_BND).square().mean(-1).amax(-1)
    return moved_B


@torch.no_grad()
def limit_of_real(tokenizer: Tokenizer, frames_BHWC: Tensor) -> float:
    """The strangeness that one real frame in a thousand exceeds."""
    found = []
    for some_XHWC in torch.split(frames_BHWC, _AT_ONCE):
        latents_XND = tokenizer.encode(to_pixels(some_XHWC))
        found.append(strangeness(tokenizer, latents_XND, to_frames(tokenizer.decode(latents_XND))))
    return max(float(torch.cat(found).quantile(_RARE)), LEAST_LIMIT)
