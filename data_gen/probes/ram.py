"""What the emulator's memory says is in a frame, in the words of the probes: the truth against which they are measured.

The addresses are those of the annotated Atari RAM (AtariARI), the bricks' our own. They and the offsets from memory to
screen were calibrated on 12,000 real frames, by comparing with the first and last native row and column in a thing's
colour: the boxes below are those of the same tick, to one native row. A frame pools ticks, so every function takes the
memory of all its ticks, uint8 [B, T, 128]: what was there in any of them is there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from data_gen.probes import breakout, pong
from data_gen.probes.breakout import BreakoutReading
from data_gen.probes.picture import NATIVE, SIZE, box, to_frame
from data_gen.probes.pong import PongReading

Ram = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Masks = npt.NDArray[np.bool_]
_Found = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.float64]]

# Pong: the memory's x and y minus these give the top left native pixel.
_PONG_BALL_X, _PONG_BALL_Y, _PONG_OWN_Y, _PONG_OTHER_Y = (49, 49), (54, 14), (51, 13), (50, 15)
_PONG_OTHER_SCORE, _PONG_OWN_SCORE = 13, 14
_PONG_PADDLE_HEIGHT = 16

# Breakout, likewise.
_BREAKOUT_BALL_X, _BREAKOUT_BALL_Y, _BREAKOUT_PADDLE_X = (99, 49), (101, -9), (72, 47)
_BREAKOUT_SCORE = (76, 77)  # binary coded decimal, hundreds first
_BREAKOUT_LIVES = 57
_BREAKOUT_PADDLE_WIDTH = 16
# A brick is two bits of the playfield registers; the byte is that of its column plus 5 for the top row, 4 for the next.
_BRICK_BYTES = np.array([30, 24, 24, 24, 24, 18, 18, 18, 18, 12, 12, 6, 6, 6, 6, 0, 0, 0])
_BRICK_BITS = np.array([7, 7, 5, 3, 1, 1, 3, 5, 7, 5, 7, 7, 5, 3, 1, 1, 3, 5])

BALL_WIDTH, BALL_HEIGHT = 2, 4


def pong_from_ram(ram_BTN: Ram) -> PongReading:
    """The true reading of Pong frames."""
    ball = _located(pong_ball(ram_BTN))
    own_top_BT = _less(ram_BTN, _PONG_OWN_Y) // 2 * 2  # the green paddle is drawn on even rows only
    own = _located(_pong_paddle(own_top_BT, pong.OWN_COLUMNS))
    other = _located(_pong_paddle(_less(ram_BTN, _PONG_OTHER_Y), pong.OTHER_COLUMNS))
    shown_BN = _shown(ram_BTN).astype(np.int64)
    return PongReading(
        *ball, ball[0].astype(np.int64), own[0], own[2], other[0], other[2],
        shown_BN[:, _PONG_OWN_SCORE], shown_BN[:, _PONG_OTHER_SCORE],
    )  # fmt: skip


def pong_ball(ram_BTN: Ram) -> _Masks:
    """Native masks [B, 210, 160] of the ball. After a point its y is 0 until it is served."""
    in_play_BT = ram_BTN[..., _PONG_BALL_Y[0]] > 0
    masks = _boxes(_less(ram_BTN, _PONG_BALL_Y), BALL_HEIGHT, _less(ram_BTN, _PONG_BALL_X), BALL_WIDTH, in_play_BT)
    return masks & box(pong.FIELD_ROWS, (0, NATIVE[1]))


def breakout_from_ram(ram_BTN: Ram) -> BreakoutReading:
    """The true reading of Breakout frames."""
    ball = _located(breakout_ball(ram_BTN))
    paddle = _located(_breakout_paddle(ram_BTN))
    shown_BN = _shown(ram_BTN)
    hundreds, rest = (_decimal(shown_BN[:, address]) for address in _BREAKOUT_SCORE)
    return BreakoutReading(
        *ball, ball[0].astype(np.int64), paddle[0], paddle[1], breakout_bricks(ram_BTN),
        100 * hundreds + rest, shown_BN[:, _BREAKOUT_LIVES].astype(np.int64),
    )  # fmt: skip


def breakout_ball(ram_BTN: Ram) -> _Masks:
    """Native masks [B, 210, 160] of what can be seen of the ball: not what has a brick or the paddle behind it."""
    in_play_BT = ram_BTN[..., _BREAKOUT_BALL_Y[0]] > 0
    top_BT, left_BT = _less(ram_BTN, _BREAKOUT_BALL_Y), _less(ram_BTN, _BREAKOUT_BALL_X)
    masks = _boxes(top_BT, BALL_HEIGHT, left_BT, BALL_WIDTH, in_play_BT)
    hidden = _brick_masks(breakout_bricks(ram_BTN)) | _breakout_paddle(ram_BTN)
    return masks & ~hidden & box(breakout.FIELD_ROWS, breakout.FIELD_COLUMNS)


def breakout_bricks(ram_BTN: Ram) -> npt.NDArray[np.bool_]:
    """Which bricks [B, 6, 18] stand."""
    addresses = _BRICK_BYTES + (breakout.NUM_ROWS - 1 - np.arange(breakout.NUM_ROWS))[:, None]
    standing: npt.NDArray[np.bool_] = ((ram_BTN[..., addresses] >> _BRICK_BITS) & 1).astype(np.bool_).any(axis=1)
    return standing


def _pong_paddle(top_BT: _Ints, columns: tuple[int, int]) -> _Masks:
    left_BT, width = np.full_like(top_BT, columns[0]), columns[1] - columns[0]
    masks = _boxes(top_BT, _PONG_PADDLE_HEIGHT, left_BT, width, np.ones(top_BT.shape, np.bool_))
    return masks & box(pong.FIELD_ROWS, (0, NATIVE[1]))


def _breakout_paddle(ram_BTN: Ram) -> _Masks:
    left_BT = _less(ram_BTN, _BREAKOUT_PADDLE_X)
    top_BT, height = np.full_like(left_BT, breakout.PADDLE_ROWS[0]), breakout.PADDLE_ROWS[1] - breakout.PADDLE_ROWS[0]
    masks = _boxes(top_BT, height, left_BT, _BREAKOUT_PADDLE_WIDTH, np.ones(left_BT.shape, np.bool_))
    return masks & box(breakout.FIELD_ROWS, breakout.FIELD_COLUMNS)


def _brick_masks(bricks_BMN: npt.NDArray[np.bool_]) -> _Masks:
    """Native masks [B, 210, 160] of the bricks."""
    masks = np.zeros((len(bricks_BMN), *NATIVE), np.bool_)
    wall = np.ones((1, breakout.BRICK_HEIGHT, breakout.BRICK_WIDTH), np.bool_)
    rows = slice(breakout.BRICK_TOP, breakout.BRICK_TOP + breakout.NUM_ROWS * breakout.BRICK_HEIGHT)
    columns = slice(breakout.BRICK_LEFT, breakout.BRICK_LEFT + breakout.NUM_COLUMNS * breakout.BRICK_WIDTH)
    masks[:, rows, columns] = np.kron(bricks_BMN, wall)
    return masks


def _shown(ram_BTN: Ram) -> Ram:
    """The memory [B, 128] that the digits show: they are drawn before a tick changes them, so that of a tick ago."""
    earlier: Ram = ram_BTN[:, -2 if ram_BTN.shape[1] > 1 else -1]
    return earlier


def _less(ram_BTN: Ram, address_and_offset: tuple[int, int]) -> _Ints:
    address, offset = address_and_offset
    return ram_BTN[..., address].astype(np.int64) - offset


def _decimal(coded: Ram) -> _Ints:
    """Binary coded decimal as a number."""
    return (10 * (coded >> 4) + (coded & 15)).astype(np.int64)


def _boxes(top_BT: _Ints, height: int, left_BT: _Ints, width: int, shown_BT: npt.NDArray[np.bool_]) -> _Masks:
    """Native masks [B, 210, 160], each the union of its ticks' boxes."""
    row_H, column_W = np.arange(NATIVE[0]), np.arange(NATIVE[1])
    in_rows = (row_H >= top_BT[..., None]) & (row_H < top_BT[..., None] + height) & shown_BT[..., None]
    in_columns = (column_W >= left_BT[..., None]) & (column_W < left_BT[..., None] + width)
    return np.asarray((in_rows[..., None] & in_columns[..., None, :]).any(axis=1))


def _located(masks_BHW: _Masks) -> _Found:
    """Presence, and the centre in the frame's pixels (x, y)."""
    mass_B = masks_BHW.sum(axis=(1, 2))
    divisor_B = np.where(mass_B > 0, mass_B, np.nan)
    x_B = masks_BHW.sum(axis=1) @ np.arange(NATIVE[1]) / divisor_B
    y_B = masks_BHW.sum(axis=2) @ np.arange(NATIVE[0]) / divisor_B
    return mass_B > 0, to_frame(x_B, NATIVE[1], SIZE[1]), to_frame(y_B, NATIVE[0], SIZE[0])


def erase_bricks(write: Callable[[int, int], None], ram_N: Ram, rng: np.random.Generator) -> None:
    """Take a random part of Breakout's wall away, by `write(address, value)`."""
    gone = rng.random((breakout.NUM_ROWS, breakout.NUM_COLUMNS)) < rng.random()
    kept_N = ram_N.copy()
    for row, column in zip(*np.nonzero(gone), strict=True):
        address = int(_BRICK_BYTES[column]) + breakout.NUM_ROWS - 1 - int(row)
        kept_N[address] &= 255 ^ (3 << (int(_BRICK_BITS[column]) - 1))
    for address in range(36):
        write(address, int(kept_N[address]))
