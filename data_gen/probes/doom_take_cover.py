"""What a player has to see in a frame of DoomTakeCover: the fireballs, of which the largest is the nearest.

Works on frames uint8 [B, 72, 96, 3] as the twin makes them: 160x120 native pixels, shrunk by area. Knows nothing of the
emulator. Fire is told by its colour alone: measured with the engine's own labels on 2,652 frames, nothing else is
brighter than 175 in red and 135 in green, and 95 % of the pixels that are all fireball are brighter than 218 and 150.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.probes.blobs import find_blobs
from data_gen.probes.picture import Floats

_NOT_FIRE, _FIRE = (175.0, 135.0), (247.0, 226.0)  # red and green: the brightest of all else, and the mean of fire
# A fireball that has just left an imp covers a pixel or two of the frame, and shares them with what is behind it.
_LEAST_FIRE, _LEAST_MASS = 0.1, 0.3


@dataclass(frozen=True)
class DoomTakeCoverReading:
    """What is in each of B frames."""

    fireballs: npt.NDArray[np.int64]  # how many that do not touch
    fireball_x: npt.NDArray[np.float64]  # of the largest, the nearest; NaN where there is none
    fireball_y: npt.NDArray[np.float64]
    fire: npt.NDArray[np.float64]  # pixels of it in all

    @property
    def things(self) -> dict[str, npt.NDArray[np.float64]]:
        """What moves, by name: positions [B, D], NaN where absent."""
        return {"fireball": np.stack([self.fireball_x, self.fireball_y], axis=1)}


def read_doom_take_cover(frames: Frames) -> DoomTakeCoverReading:
    """Read a batch of frames; each frame is read by itself.

    Example:
        >>> frames = np.full((1, 72, 96, 3), 70, np.uint8)
        >>> frames[0, 30:33, 50:53] = (255, 240, 120)
        >>> reading = read_doom_take_cover(frames)
        >>> reading.fireballs.tolist(), reading.fireball_x.tolist(), reading.fireball_y.tolist()
        ([1], [51.0], [31.0])
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"frames are {frames.dtype} {list(frames.shape)}; expected uint8 [B, H, W, 3]")
    fire_BHW = _fire(frames)
    found = find_blobs(fire_BHW, _LEAST_FIRE, _LEAST_MASS)
    return DoomTakeCoverReading(found.count, found.x, found.y, fire_BHW.sum(axis=(1, 2), dtype=np.float64))


def _fire(frames: Frames) -> Floats:
    """How much fire [B, H, W] there is in each pixel, from 0 to 1: it has to be bright enough in both colours."""
    share_2 = [
        (frames[..., place].astype(np.float32) - dark) / (bright - dark)
        for place, (dark, bright) in enumerate(zip(_NOT_FIRE, _FIRE, strict=True))
    ]
    return np.asarray(np.minimum(*share_2).clip(0, 1), np.float32)
