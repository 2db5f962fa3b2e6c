"""From the native Atari picture to the twin's frame: both games are 160x210 pixels shrunk to 84x84 by area.

Shrinking by area is linear, so a frame is a sum of what each drawn thing contributes. The probes use this: they
describe things as rectangles of native pixels, shrink them, and solve for how much of each is in a frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames

Floats = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

NATIVE = (210, 160)
SIZE = (84, 84)


def shrunk(native_HW: npt.NDArray[np.generic]) -> Floats:
    """A native picture [210, 160] or [210, 160, 3] at frame size, unrounded.

    Example:
        >>> shrunk(np.ones((210, 160))).shape
        (84, 84)
    """
    return np.asarray(cv2.resize(native_HW.astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA), np.float32)


def box(rows: tuple[int, int], columns: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A native mask [210, 160] of the rows and columns from the first to before the second.

    Example:
        >>> int(box((0, 4), (10, 12)).sum())
        8
    """
    mask = np.zeros(NATIVE, np.bool_)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def scene(ground: Colour, *things: tuple[tuple[int, int], tuple[int, int], Colour]) -> Floats:
    """A frame [84, 84, 3] of boxes (rows, columns, colour) on a ground, later ones over earlier ones.

    Example:
        >>> scene((9, 9, 9), ((0, 210), (0, 160), (1, 2, 3)))[0, 0].tolist()
        [1.0, 2.0, 3.0]
    """
    native_HWC = np.full((*NATIVE, 3), ground, np.float32)
    for rows, columns, colour in things:
        native_HWC[box(rows, columns)] = colour
    return shrunk(native_HWC)


def to_frame(native: npt.NDArray[np.floating], native_side: int, side: int) -> npt.NDArray[np.float64]:
    """Native coordinates as frame coordinates. In both, a whole number is the middle of a pixel.

    Example:
        >>> to_frame(np.array([0.0, 159.0]), 160, 84).round(2).tolist()
        [-0.24, 83.24]
    """
    return (np.asarray(native, np.float64) + 0.5) * side / native_side - 0.5


def checked_frames(frames: Frames) -> Frames:
    """`frames` if they are uint8 [B, 84, 84, 3], or ValueError.

    Example:
        >>> checked_frames(np.zeros((1, 84, 84, 3), np.uint8)).shape
        (1, 84, 84, 3)
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (*SIZE, 3):
        raise ValueError(f"frames are {frames.dtype} {list(frames.shape)}; expected uint8 [B, 84, 84, 3]")
    return frames
