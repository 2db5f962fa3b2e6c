"""Frames as grey levels and as numbers: the only place where one becomes the other.

The way there and back is the identity on all 256 levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 255.0


def precise(numbers: Tensor) -> Tensor:
    """These numbers in float32 or better: bfloat16 cannot tell grey levels apart, nor add up probabilities."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))


def to_pixels(frames_BHWC: Tensor) -> Tensor:
    """Frames uint8 [..., H, W, C] -> pixels float32 [..., C, H, W] from 0 to 1.

    Example:
        >>> to_pixels(torch.full((1, 2, 2, 3), 51, dtype=torch.uint8)).shape
        torch.Size([1, 3, 2, 2])
    """
    return from_levels(frames_BHWC).movedim(-1, -3)


def to_frames(pixels_BCHW: Tensor) -> Tensor:
    """Pixels [..., C, H, W] -> frames uint8 [..., H, W, C]: rounded to the nearest level, after clamping.

    What is not finite would silently become a level: whoever calls this has looked before.

    Example:
        >>> levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
        >>> torch.equal(to_frames(to_pixels(levels)), levels)
        True
    """
    return to_levels(pixels_BCHW).movedim(-3, -1)


def from_levels(levels: Tensor) -> Tensor:
    """Grey levels uint8, however they lie, as numbers from 0 to 1."""
    return levels.to(torch.float32) / LEVELS


def to_levels(pixels: Tensor) -> Tensor:
    """The inverse of `from_levels`; see `to_frames`."""
    return (precise(pixels) * LEVELS).round_().clamp_(0, LEVELS).to(torch.uint8)
