"""Frames cut into a grid."""

from __future__ import annotations

from torch import Tensor


class UnevenGrid(ValueError):
    """A frame that cannot be cut as asked."""


def divided(frame_size: tuple[int, int], side: int, name: str) -> tuple[int, int]:
    """Rows and columns of squares of `side` pixels; `name` is what the square is called in the error.

    Example:
        >>> divided((84, 84), 12, "patch")
        (7, 7)
    """
    height, width = frame_size
    if side < 1 or height % side or width % side:
        raise UnevenGrid(f"a {name} of {side} pixels does not divide a frame of {height}x{width}; choose one that does")
    return height // side, width // side


def squares_of(frames_XHWC: Tensor, grid: tuple[int, int]) -> Tensor:
    """The squares [X, rows, columns, S, S, C] that frames are made of; written to, the frames change.

    Example:
        >>> import torch
        >>> frames = torch.zeros(1, 84, 84, 3)
        >>> squares_of(frames, (7, 7))[0, 2, 3] = 1.0
        >>> float(frames[0, 24:36, 36:48].min()), float(frames.sum())
        (1.0, 432.0)
    """
    rows, columns = grid
    count, height, width, channels = frames_XHWC.shape
    return frames_XHWC.view(count, rows, height // rows, columns, width // columns, channels).transpose(2, 3)
