"""Frames cut into a grid."""

from __future__ import annotations


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
