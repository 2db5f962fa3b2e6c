"""Pictures of the report: what every action leads to, and the worst rollouts, chosen by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import imageio.v3 as imageio
import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from evaluation.gap_report.control import Forks
from evaluation.gap_report.metric import Picture
from evaluation.gap_report.rollouts import RollOut
from world_model.metrics.intervals import Bools, Floats

_SCALE, _GAP = 2, 4  # pixels
_WORST = 10
_GOOD, _BAD, _PLAIN = (18, 160, 120), (214, 72, 72), (128, 128, 128)


def fan(forks: Forks, right_A: Bools, names: Sequence[str]) -> Picture:
    """The first moment, a column an action: the real game above, the dream below, framed by whether it is right."""
    above = np.concatenate([_framed(frame, _PLAIN) for frame in forks.real[0]], axis=1)
    below = np.concatenate(
        [_framed(frame, _GOOD if right else _BAD) for frame, right in zip(forks.dreamt[0], right_A, strict=True)],
        axis=1,
    )
    picture = np.concatenate([above, below])
    text = (
        f"One real moment, each action held: {', '.join(names)}. Above the real game, below the dream; green where the "
        "dream is nearest to the real frame of its own action."
    )
    return _picture("What if?", text, "png", imageio.imwrite("<bytes>", picture, extension=".png"), picture)


@dataclass
class Worst:
    """The rollouts whose features end up farthest from the real ones, found as they come."""

    kept: list[tuple[float, Frames, Frames]] = field(default_factory=list)  # distance, real, dreamt

    def add(self, batch: RollOut, far_B: Floats) -> None:
        """Some rollouts with their distances at the last step."""
        found = [(float(far), batch.real[row], batch.frames[row]) for row, far in enumerate(far_B)]
        # Equal distances keep their order, so that equal runs show the same.
        self.kept = sorted([*self.kept, *found], key=lambda each: -each[0])[:_WORST]

    def picture(self, fps: int) -> Picture:
        """Real, dream and their difference, side by side, rollouts in two columns."""
        steps = self.kept[0][1].shape[0]
        clips = [_side_by_side(real, dreamt) for _, real, dreamt in self.kept]
        if len(clips) % 2:
            clips.append(np.zeros_like(clips[0]))
        rows = [np.concatenate(clips[place : place + 2], axis=2) for place in range(0, len(clips), 2)]
        film = np.concatenate(rows, axis=1)
        content = imageio.imwrite("<bytes>", film, extension=".gif", duration=1000 / fps, loop=0)
        text = (
            f"The {len(self.kept)} of all rollouts whose features are farthest from the real ones after {steps} steps, "
            "the worst first: real, dream, difference. Chosen by that rule, not by hand."
        )
        return _picture("The worst of them", text, "gif", content, film[0])


def _side_by_side(real: Frames, dreamt: Frames) -> Frames:
    """[T, H, 3 W, 3], with a gap around it."""
    difference = np.abs(real.astype(np.int16) - dreamt).astype(np.uint8)
    joined = np.concatenate([real, dreamt, difference], axis=2)
    return np.pad(joined, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)))


def _framed(frame: Frames, colour: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    height, width = frame.shape[:2]
    large = cv2.resize(frame, (width * _SCALE, height * _SCALE), interpolation=cv2.INTER_NEAREST)
    framed = np.zeros((height * _SCALE + 2 * _GAP, width * _SCALE + 2 * _GAP, 3), np.uint8)
    framed[:] = colour
    framed[_GAP:-_GAP, _GAP:-_GAP] = large
    return framed


def _picture(
    title: str, text: str, kind: Literal["png", "gif"], content: bytes, shown: npt.NDArray[np.uint8]
) -> Picture:
    return Picture(title, text, kind, content, shown.shape[1])
