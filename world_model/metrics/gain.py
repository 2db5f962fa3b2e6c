"""Gain over a baseline: how many decibels a prediction is better than one that knows nothing.

The baseline of one step is the raw last frame, that of an open-loop rollout the raw seed frame. Never a decoded one: it
is worse, and the gain would flatter. Windows in which the real frame equals the baseline cannot be gained on; they are
kept apart and counted, because a model that moves what stands still is seen there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from world_model.metrics.intervals import Bools, Estimate, Floats, estimate
from world_model.metrics.psnr import ROUNDING_MSE, mean_squared_errors


@dataclass(frozen=True)
class Gain:
    """The gain of each of B windows."""

    decibels: Floats
    changed: Bools  # where the real frame differs from the baseline: the windows whose mean is the figure

    def mean(
        self, clusters: npt.ArrayLike | None = None, *, level: float = 0.95, draws: int = 2000, seed: int = 0
    ) -> Estimate:
        """The mean over windows that changed; `clusters` [B] has an entry for every window.

        Example:
            >>> Gain(np.array([9.0, 3.0, -5.0]), np.array([True, True, False])).mean().value
            6.0
        """
        chosen = None if clusters is None else np.asarray(clusters)[self.changed]
        return estimate(self.decibels[self.changed], chosen, level=level, draws=draws, seed=seed)


def gain(model_mse: npt.ArrayLike, baseline_mse: npt.ArrayLike) -> Floats:
    """10 log10(MSE of the baseline / MSE of the model) per window, in dB, neither taken to be below that of rounding.

    Example:
        >>> gain([1.0, 10.0], [100.0, 1.0]).tolist()
        [20.0, -10.0]
    """
    ratio = np.maximum(baseline_mse, ROUNDING_MSE) / np.maximum(model_mse, ROUNDING_MSE)
    return np.asarray(10 * np.log10(ratio), np.float64)


def gain_over_baseline(predicted_BHWC: Frames, frames_BHWC: Frames, baseline_BHWC: Frames) -> Gain:
    """The gain of predicted frames over baseline frames, for B windows whose real frames are `frames_BHWC`.

    Example:
        >>> frames = np.full((1, 2, 2, 3), 100, np.uint8)
        >>> result = gain_over_baseline(frames + np.uint8(1), frames, frames + np.uint8(10))
        >>> result.decibels.tolist(), result.changed.tolist()
        ([20.0], [True])
    """
    baseline_mse_B = mean_squared_errors(baseline_BHWC, frames_BHWC)
    return Gain(gain(mean_squared_errors(predicted_BHWC, frames_BHWC), baseline_mse_B), baseline_mse_B > 0)
