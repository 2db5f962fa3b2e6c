"""What a player sees in a frame of Breakout: the ball, the paddle, the wall of bricks, score and lives.

Works on frames uint8 [B, 84, 84, 3] as the twin makes them: 160x210 native pixels, the last two ticks max-pooled,
shrunk by area. Knows nothing of the emulator. Positions are in pixels of the frame, a whole number being the middle of
a pixel, and mean the centre of what is drawn, over both pooled ticks. Nothing flickers in this game, but the ball takes
the colour of the bricks in whose row it is: where it overlaps a brick it cannot be seen, by the probe or by anyone.
Noise and a brighter or darker picture do not matter much; where a picture is blurred, the score, whose lines are less
than a pixel thick, is called unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.probes.blobs import Blobs, find_blobs
from data_gen.probes.digits import BLANK, UNREADABLE, DigitReader, number
from data_gen.probes.picture import NATIVE, Floats, box, checked_frames, scene, shrunk

_BLACK, _GRAY, _TEAL, _RED = (0, 0, 0), (142, 142, 142), (66, 158, 130), (200, 72, 72)
_ROW_COLOURS = (_RED, (198, 108, 58), (180, 122, 48), (162, 162, 42), (72, 160, 72), (66, 72, 200))  # from the top

# Native places, read off real frames.
FIELD_ROWS, FIELD_COLUMNS = (32, 195), (8, 152)
PADDLE_ROWS = (189, 193)
NUM_ROWS, NUM_COLUMNS = 6, 18
BRICK_TOP, BRICK_LEFT, BRICK_HEIGHT, BRICK_WIDTH = 57, 8, 6, 8
_SCORE_DIGITS, _LIVES_DIGIT = (36, 52, 68), 100  # left edges

# A ball covers 2x4 native pixels, 1.7 of the frame's. What counts as one: touching pixels with at least this much of
# its colour in each, and in all a sixth of a ball (the rest may be behind bricks).
_BALL_COLOUR, _BALL_MASS = 0.25, 0.3
# The paddle is 16 native pixels wide (8.4 of the frame's), later in the game 8, and half of it may be in the side wall.
# What counts as one: a run in the paddle's row that is wider than two pooled balls side by side.
_PADDLE_COLOUR, _PADDLE_WIDTH = 0.15, 2.7
_PADDLE_ROW = 76  # the frame's row that lies wholly within PADDLE_ROWS
_BRICK_COLOUR = 0.5  # share of a brick's colour from which on it stands; a ball in a hole gives at most a third


@dataclass(frozen=True)
class BreakoutReading:
    """What is in each of B frames."""

    ball_present: npt.NDArray[np.bool_]
    ball_x: npt.NDArray[np.float64]  # NaN where absent; of several balls, the largest
    ball_y: npt.NDArray[np.float64]
    balls: npt.NDArray[np.int64]  # how many; the real game never has more than one
    paddle_present: npt.NDArray[np.bool_]
    paddle_x: npt.NDArray[np.float64]
    bricks: npt.NDArray[np.bool_]  # [B, 6, 18], from the top left: which stand
    score: npt.NDArray[np.int64]  # -1 where unreadable
    lives: npt.NDArray[np.int64]  # 0 to 5, -1 where unreadable

    @property
    def ghost(self) -> npt.NDArray[np.bool_]:
        """Where there is more than one ball."""
        return self.balls > 1

    @property
    def things(self) -> dict[str, npt.NDArray[np.float64]]:
        """What moves, by name: positions [B, D], NaN where absent."""
        return {"ball": np.stack([self.ball_x, self.ball_y], axis=1), "paddle": self.paddle_x[:, None]}


def read_breakout(frames: Frames) -> BreakoutReading:
    """Read a batch of frames; each frame is read by itself. About 0.3 MB of scratch memory a frame.

    Example:
        >>> reading = read_breakout(np.zeros((2, 84, 84, 3), np.uint8))
        >>> reading.ball_present.tolist(), int(reading.bricks.sum()), reading.score.tolist()
        ([False, False], 0, [-1, -1])
    """
    change_BHWC = checked_frames(frames).astype(np.float32) - _EMPTY
    ink_BHW = change_BHWC.mean(axis=3) / np.mean(_GRAY)
    bricks = _bricks(change_BHWC)
    rest_BHW = (change_BHWC - _drawn_bricks(bricks)).max(axis=3) / _BRIGHTEST_HW * _IN_FIELD
    paddle = find_blobs(rest_BHW[:, _PADDLE_ROW, None], _PADDLE_COLOUR, _PADDLE_WIDTH)
    ball = find_blobs(rest_BHW - _drawn_paddle(paddle, rest_BHW), _BALL_COLOUR, _BALL_MASS)
    return BreakoutReading(
        ball.present, ball.x, ball.y, ball.count, paddle.present, paddle.x, bricks,
        number(_digits(_SCORE, ink_BHW)), number(_digits(_LIVES, ink_BHW)),
    )  # fmt: skip


def _bricks(change_BHWC: Floats) -> npt.NDArray[np.bool_]:
    """Which bricks stand: the shares of all bricks that together explain the picture best, by least squares."""
    share_BHCN = np.einsum("bhwc,nw->bhcn", change_BHWC[:, _WALL], _COLUMN_OF_PICTURE_NW)
    share_BMN = np.einsum(
        "bpn,mp->bmn", share_BHCN.reshape(len(share_BHCN), _WALL.size * 3, NUM_COLUMNS), _ROW_OF_PICTURE_MP
    )
    return np.asarray(share_BMN >= _BRICK_COLOUR)


def _drawn_bricks(bricks_BMN: npt.NDArray[np.bool_]) -> Floats:
    """What the standing bricks add to the empty picture."""
    standing_BMN = bricks_BMN.astype(np.float32)
    return np.asarray(np.einsum("bmn,nw,hcm->bhwc", standing_BMN, _COVER_NW, _LIGHT_HCM, optimize=True), np.float32)


def _drawn_paddle(paddle: Blobs, rest_BHW: Floats) -> Floats:
    """What of `rest` is paddle: its run in the paddle's row, at the height that it has."""
    run_BW = np.where(paddle.heaviest[:, 0], rest_BHW[:, _PADDLE_ROW], 0)
    return run_BW[:, None] * _PADDLE_COVER_H[:, None]


def _digits(readers: tuple[DigitReader, ...], ink_BHW: Floats) -> list[npt.NDArray[np.int64]]:
    """The digits of a number that has no blanks: a missing digit is unreadable here."""
    read = [reader.read(ink_BHW) for reader in readers]
    return [np.where(digit == BLANK, UNREADABLE, digit) for digit in read]


def _brick_rows() -> npt.NDArray[np.bool_]:
    """Native masks of whole rows of bricks, [6, 210, 160]."""
    tops = [BRICK_TOP + row * BRICK_HEIGHT for row in range(NUM_ROWS)]
    return np.stack([box((top, top + BRICK_HEIGHT), (0, NATIVE[1])) for top in tops])


def _brick_columns() -> npt.NDArray[np.bool_]:
    """Native masks of whole columns of bricks, [18, 210, 160]."""
    lefts = [BRICK_LEFT + column * BRICK_WIDTH for column in range(NUM_COLUMNS)]
    return np.stack([box((0, NATIVE[0]), (left, left + BRICK_WIDTH)) for left in lefts])


def _brightest() -> Floats:
    """The largest colour component of a ball, for each row of the frame."""
    native = np.full(NATIVE, max(_RED), np.float32)
    for row, colour in zip(_brick_rows(), _ROW_COLOURS, strict=True):
        native[row] = max(colour)
    return shrunk(native)


_EMPTY = scene(
    _BLACK,
    ((17, 32), (0, 160), _GRAY),
    ((32, 189), (0, 8), _GRAY),
    ((32, 189), (152, 160), _GRAY),
    ((189, 196), (0, 8), _TEAL),
    ((189, 195), (152, 160), _RED),
    ((5, 15), (136, 140), _GRAY),  # the number of the player, always 1
)
_IN_FIELD = (shrunk(box(FIELD_ROWS, FIELD_COLUMNS)) > 0).astype(np.float32)
_BRIGHTEST_HW = _brightest()
_PADDLE_COVER_H = shrunk(box(PADDLE_ROWS, (0, NATIVE[1])))[:, 0]

_COVER_NW = np.stack([shrunk(column)[0] for column in _brick_columns()])
_LIGHT_HCM = np.stack(
    [np.outer(shrunk(row)[:, 0], colour) for row, colour in zip(_brick_rows(), _ROW_COLOURS, strict=True)], axis=2
).astype(np.float32)
_WALL = np.flatnonzero(_LIGHT_HCM.sum(axis=(1, 2)))
_COLUMN_OF_PICTURE_NW = np.linalg.pinv(_COVER_NW.T)
_ROW_OF_PICTURE_MP = np.linalg.pinv(_LIGHT_HCM[_WALL].reshape(-1, NUM_ROWS))

# A brick is worth 1, 4 or 7 points, which is by how much the last digit changes at once; the others change by a carry.
_SCORE = (
    *(DigitReader(left, top=5, block=(2, 4)) for left in _SCORE_DIGITS[:2]),
    DigitReader(_SCORE_DIGITS[2], top=5, block=(2, 4), steps=(1, 4, 7)),
)
_LIVES = (DigitReader(_LIVES_DIGIT, top=5, block=(2, 4), steps=(-1,)),)
