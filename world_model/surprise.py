"""How far a dream has left the data: how strange the worst square is that it shows, beside those of real frames."""

from __future__ import annotations

import torch
from torch import Tensor

from world_model.picture import Picture
from world_model.pixels import to_pixels
from world_model.tokenizer import Tokenizer

LEAST_LIMIT = 1e-6  # where latents are pixels, nothing is moved but by rounding
_RARE = 0.999
_ROUNDED = 1 + 2**-7  # the limit is rounded to bfloat16 in a file: that shall make no usual frame a surprise
_AT_ONCE = 256  # frames


@torch.no_grad()
def limit_of_real(tokenizer: Tokenizer, frames_BHWC: Tensor) -> float:
    """The strangeness that the worst square of one real frame in a thousand exceeds."""
    found = [
        Picture.of(tokenizer, tokenizer.encode(to_pixels(some_XHWC))).strangeness_BN.amax(-1)
        for some_XHWC in torch.split(frames_BHWC, _AT_ONCE)
    ]
    return max(float(torch.cat(found).quantile(_RARE)) * _ROUNDED, LEAST_LIMIT)
