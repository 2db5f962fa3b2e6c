"""What a player sees in a frame of Pong: the ball, both paddles, both scores.

Works on frames uint8 [B, 84, 84, 3] as the twin makes them: 160x210 native pixels, the last two ticks max-pooled,
shrunk by area. Knows nothing of the emulator. Positions are in pixels of the frame, a whole number being the middle of
a pixel. A thing's position is the centre of what is drawn of it: over both pooled ticks, without what the bars hide. A
single frame cannot tell which of the two ticks came last; a paddle at full speed is drawn 5 pixels too long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.probes.blobs import find_blobs
from data_gen.probes.digits import UNREADABLE, DigitReader, number
from data_gen.probes.picture import NATIVE, Floats, box, checked_frames, scene, shrunk

_GROUND, _WHITE = (144, 72, 17), (236, 236, 236)
_GREEN, _ORANGE = (92, 186, 92), (213, 130, 74)

# Native places, read off real frames.
FIELD_ROWS = (34, 194)  # between the white bars
OWN_COLUMNS, OTHER_COLUMNS = (140, 144), (16, 20)
_TOP_BAR, _BOTTOM_BAR = (24, 34), (194, 210)
_OWN_DIGITS, _OTHER_DIGITS = (100, 116), (20, 36)  # left edges of tens and ones
_MAX_SCORE = 21

# A ball covers 2x4 native pixels, 1.7 of the frame's. What counts as one: touching pixels with at least this much white
# in each, and in all as much as one native row of it where it leaves a bar (0.4, of which blur may take a part).
_BALL_WHITE, _BALL_MASS = 0.2, 0.3
# A paddle is 16 native rows high, 6.4 of the frame's. What counts as one: rows with at least this much of its colour in
# its columns, and in all three quarters of one native row.
_PADDLE_COLOUR, _PADDLE_MASS = 0.2, 0.3


@dataclass(frozen=True)
class PongReading:
    """What is in each of B frames."""

    ball_present: npt.NDArray[np.bool_]
    ball_x: npt.NDArray[np.float64]  # NaN where absent; of several balls, the one with the most white
    ball_y: npt.NDArray[np.float64]
    balls: npt.NDArray[np.int64]  # how many; the real game never has more than one
    own_present: npt.NDArray[np.bool_]  # the right, green paddle
    own_y: npt.NDArray[np.float64]
    other_present: npt.NDArray[np.bool_]  # the left, orange paddle
    other_y: npt.NDArray[np.float64]
    own_score: npt.NDArray[np.int64]  # 0 to 21, -1 where unreadable
    other_score: npt.NDArray[np.int64]

    @property
    def ghost(self) -> npt.NDArray[np.bool_]:
        """Where there is more than one ball."""
        return self.balls > 1

    @property
    def things(self) -> dict[str, npt.NDArray[np.float64]]:
        """What moves, by name: positions [B, D], NaN where absent."""
        return {
            "ball": np.stack([self.ball_x, self.ball_y], axis=1),
            "own_paddle": self.own_y[:, None],
            "other_paddle": self.other_y[:, None],
        }


def read_pong(frames: Frames) -> PongReading:
    """Read a batch of frames; each frame is read by itself. About 0.3 MB of scratch memory a frame.

    Example:
        >>> reading = read_pong(np.zeros((2, 84, 84, 3), np.uint8))
        >>> reading.ball_present.tolist(), reading.own_score.tolist()
        ([False, False], [-1, -1])
    """
    change_BHWC = checked_frames(frames).astype(np.float32) - _EMPTY
    above_BHWC = _above_ground(frames)
    white_BHW = _white(above_BHWC)
    ball = find_blobs(white_BHW, _BALL_WHITE, _BALL_MASS)
    own_present, own_y = _OWN.find(above_BHWC, white_BHW)
    other_present, other_y = _OTHER.find(above_BHWC, white_BHW)
    return PongReading(
        ball.present, ball.x, ball.y, ball.count, own_present, own_y, other_present, other_y,
        _OWN.score(change_BHWC), _OTHER.score(change_BHWC),
    )  # fmt: skip


def _above_ground(frames: Frames) -> Floats:
    """What differs from the ground of its row.

    Rows are plain here, so each frame tells its own ground: blurred bars and a slightly wrong brown are no things.
    """
    ground_BHC = np.median(frames[:, _FIELD], axis=2).astype(np.float32)
    above_BHWC = np.zeros(frames.shape, np.float32)
    above_BHWC[:, _FIELD] = frames[:, _FIELD] - ground_BHC[:, :, None]
    return above_BHWC


def _white(above_BHWC: Floats) -> Floats:
    """How much white [B, 84, 84] there is in each pixel of the field.

    Where a pixel has a paddle's colour in a paddle's columns, the two are told apart, so that a paddle is no ball and a
    ball over it is seen. Elsewhere that would only add noise.
    """
    white_BHW = above_BHWC @ (_TO_WHITE / (_TO_WHITE @ _TO_WHITE))
    for side in (_OWN, _OTHER):
        apart_BHWN = above_BHWC[:, :, side.columns] @ side.apart
        white_BHW[:, :, side.columns] = np.where(
            apart_BHWN[..., 1] >= _PADDLE_COLOUR, apart_BHWN[..., 0], white_BHW[:, :, side.columns]
        )
    return white_BHW


class _Side:
    """One player's paddle and score, which have one colour and known columns."""

    def __init__(self, colour: npt.NDArray[np.float32], columns: tuple[int, int], digits: tuple[int, int]) -> None:
        self._ink = colour / (colour @ colour)
        cover_W = shrunk(box((0, NATIVE[0]), columns))[0]
        self.columns = np.flatnonzero(cover_W)
        self._row_weights = cover_W[self.columns] / (cover_W[self.columns] ** 2).sum()
        # Turns a pixel into its amounts of white and of this colour; for green without its red, see _TO_GREEN.
        self.apart = np.linalg.pinv(np.stack([np.where(colour == 0, 0, _TO_WHITE), colour])).astype(np.float32)
        self._digits = [DigitReader(left, top=1, block=(4, 4)) for left in digits]

    def find(self, above_BHWC: Floats, white_BHW: Floats) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """Whether the paddle is there, and the y of its middle."""
        # Only what is surely ball is taken out before a paddle is looked for: taking out noise would add noise.
        ball_BHW = np.where(white_BHW >= _BALL_WHITE, white_BHW, 0)[:, :, self.columns]
        ink_BHW = (above_BHWC[:, :, self.columns] - ball_BHW[..., None] * _TO_WHITE) @ self._ink
        height_BH = ink_BHW @ self._row_weights
        height_BH = np.where(height_BH >= _PADDLE_COLOUR, height_BH, 0)
        total_B = height_BH.sum(axis=1)
        present_B = total_B >= _PADDLE_MASS
        moment_B = height_BH @ np.arange(height_BH.shape[1])
        return present_B, np.where(present_B, moment_B / np.where(present_B, total_B, 1), np.nan)

    def score(self, change_BHWC: Floats) -> npt.NDArray[np.int64]:
        """The score, UNREADABLE where it is none that the game has."""
        ink_BHW = change_BHWC @ self._ink
        value_B = number([digit.read(ink_BHW) for digit in self._digits])
        return np.where(value_B <= _MAX_SCORE, value_B, UNREADABLE)


def _away(colour: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """The way from the ground's colour to another."""
    return np.subtract(colour, _GROUND).astype(np.float32)


_EMPTY = scene(_GROUND, (_TOP_BAR, (0, 160), _WHITE), (_BOTTOM_BAR, (0, 160), _WHITE))
_FIELD = slice(13, 78)  # the frame's rows that show any of FIELD_ROWS
_TO_WHITE, _TO_ORANGE = _away(_WHITE), _away(_ORANGE)
# Where only one of the pooled ticks has the green paddle, its red is the ground's: only green and blue can be used.
_TO_GREEN = _away(_GREEN) * np.array([0, 1, 1], np.float32)
_OWN, _OTHER = _Side(_TO_GREEN, OWN_COLUMNS, _OWN_DIGITS), _Side(_TO_ORANGE, OTHER_COLUMNS, _OTHER_DIGITS)
