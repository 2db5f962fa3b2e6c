"""Errors of frames: squared, as PSNR, over all pixels or over those that move.

A still background flatters: what moves is judged apart. Two averages are in use and differ by decibels, so they have
two names. `frame_psnr` gives one figure per frame, to be averaged afterwards: this is the one to print. `pooled_psnr`
is the PSNR of the mean error over everything; a few bad frames rule it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from world_model.metrics.intervals import Bools, Floats

PEAK = 255.0  # the range of a uint8 frame, never inferred from what it shows
ROUNDING_MSE = 1 / 12  # what rounding to whole grey levels costs: closer than that, frames are not told apart
MOVING = 2  # grey levels


def moving_pixels(before_BHWC: Frames, frames_BHWC: Frames, threshold: int = MOVING) -> Bools:
    """Which pixels [B, H, W] differ from the frame before by more than `threshold` grey levels in any channel.

    Example:
        >>> before = np.zeros((1, 1, 2, 3), np.uint8)
        >>> moving_pixels(before, before + np.uint8([[[3, 0, 0], [2, 2, 2]]])).tolist()
        [[[True, False]]]
    """
    moves_BHWC = np.abs(_difference(before_BHWC, frames_BHWC)) > threshold
    return np.asarray(np.logical_or.reduce(_channels(moves_BHWC)))


def squared_errors(predicted_BHWC: Frames, frames_BHWC: Frames, pixels_BHW: Bools | None = None) -> Floats:
    """Sums [B, 2] over the chosen pixels of each frame: its squared errors, and of how many numbers.

    Rows of the same episode may be added up.

    Example:
        >>> frames = np.zeros((1, 2, 2, 3), np.uint8)
        >>> squared_errors(frames + np.uint8(2), frames).tolist()
        [[48.0, 12.0]]
    """
    squares_BHWC = np.square(_difference(predicted_BHWC, frames_BHWC), dtype=np.int32)
    squares_BHW = np.add.reduce(_channels(squares_BHWC))
    chosen_BHW = np.ones_like(squares_BHW, np.bool_) if pixels_BHW is None else pixels_BHW
    if chosen_BHW.shape != squares_BHW.shape:
        raise ValueError(f"pixels are {list(chosen_BHW.shape)}; expected {list(squares_BHW.shape)}")
    within = tuple(range(1, squares_BHW.ndim))
    counts_B = chosen_BHW.sum(axis=within) * frames_BHWC.shape[-1]
    sums_B = squares_BHW.sum(axis=within, dtype=np.int64, where=chosen_BHW)
    return np.stack([sums_B, counts_B], axis=1).astype(np.float64)


def mean_squared_errors(predicted_BHWC: Frames, frames_BHWC: Frames) -> Floats:
    """The mean squared error [B] of each frame, or of each window of frames [B, T, H, W, C].

    Example:
        >>> frames = np.zeros((1, 2, 2, 3), np.uint8)
        >>> mean_squared_errors(frames + np.uint8(2), frames).tolist()
        [4.0]
    """
    errors_B2 = squared_errors(predicted_BHWC, frames_BHWC)
    return errors_B2[:, 0] / errors_B2[:, 1]


def psnr(mse: npt.ArrayLike, peak: float = PEAK) -> Floats:
    """10 log10(peak^2 / mse) in dB; infinite without any error.

    Example:
        >>> psnr([255.0**2, 255.0**2 / 1000]).round(6).tolist()
        [0.0, 30.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(peak**2 / np.asarray(mse, np.float64)), np.float64)


def frame_psnr(errors_B2: Floats) -> Floats:
    """The PSNR [B] of each frame from `squared_errors`; NaN where none of its pixels was chosen.

    No error is taken to be below that of rounding, so that a perfect frame has a figure (58.9 dB) and a mean exists.

    Example:
        >>> frame_psnr(np.array([[0.0, 12.0], [12.0, 12.0], [0.0, 0.0]])).round(1).tolist()
        [58.9, 48.1, nan]
    """
    mse_B = np.full(len(errors_B2), np.nan)
    np.divide(errors_B2[:, 0], errors_B2[:, 1], out=mse_B, where=errors_B2[:, 1] > 0)
    return psnr(np.maximum(mse_B, ROUNDING_MSE))


def pooled_psnr(totals_2: Floats) -> float:
    """The PSNR of the mean error, from added-up rows of `squared_errors`; NaN without any pixel.

    Example:
        >>> round(pooled_psnr(np.array([12.0, 12.0])), 1)
        48.1
    """
    return float(psnr(totals_2[0] / totals_2[1])) if totals_2[1] > 0 else math.nan


def _difference(one: Frames, two: Frames) -> npt.NDArray[np.int16]:
    if one.dtype != np.uint8 or two.dtype != np.uint8 or one.shape != two.shape:
        raise ValueError(
            f"frames are {one.dtype} {list(one.shape)} and {two.dtype} {list(two.shape)}; expected uint8 of one shape"
        )
    return np.subtract(one, two, dtype=np.int16)  # uint8 would wrap around


def _channels(array_BHWC: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The channels one by one: numpy is several times slower at reducing a last axis of three."""
    return [array_BHWC[..., channel] for channel in range(array_BHWC.shape[-1])]
