"""Digits as both games draw them: blocks, three wide and five high, at known places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from data_gen.probes.picture import NATIVE, Floats, shrunk

UNREADABLE = -1
BLANK = 10

_SHAPES = (
    "### #.# #.# #.# ###",
    ".#. .#. .#. .#. .#.",
    "### ..# ### #.. ###",
    "### ..# .## ..# ###",
    "#.# #.# ### ..# ..#",
    "### #.. ### ..# ###",
    "#.. #.. ### #.# ###",
    "### ..# ..# ..# ..#",
    "### #.# ### #.# ###",
    "### #.# ### ..# ..#",
    "... ... ... ... ...",
)
_GLYPHS = np.array([[[block == "#" for block in row] for row in shape.split()] for shape in _SHAPES])

# Root mean square difference, in shares of full ink, to the nearest glyph. Measured in Breakout, whose digits are the
# smaller ones: below 0.01 for clean digits, 0.18 after a blur of 0.6 pixels; different shapes are at least 0.14 apart
# there and 0.19 in Pong. What is far from every digit, or about as near to another one, is refused.
_MAX_DIFFERENCE = 0.2
_MIN_MARGIN = 0.04


class DigitReader:
    """Reads one digit at one place.

    Args:
        left: native column of the digit's left edge.
        top: native row of its top edge.
        block: native (height, width) of one of its blocks.
        steps: by how much the digit may change at once. A frame is the maximum of two ticks, so at the moment of a
            change old and new digit lie over each other; the reader knows these shapes too and reads the new one.

    Example:
        >>> reader = DigitReader(left=36, top=1, block=(4, 4))
        >>> three = reader.drawn(_GLYPHS[3])
        >>> reader.read(three[None]).tolist()
        [3]
    """

    def __init__(self, left: int, top: int, block: tuple[int, int], steps: Sequence[int] = (1,)) -> None:
        self._left, self._top, self._block = left, top, block
        # One block of margin around the digit, so that ink where there should be none counts against it.
        touched = self.drawn(np.ones((5, 3), np.bool_)) > 0
        self._touched = touched
        shapes = dict(_shapes(steps))
        self._values = np.array(list(shapes.values()))
        glyphs = (np.frombuffer(shape, np.bool_).reshape(5, 3) for shape in shapes)
        self._templates_NP = np.stack([self.drawn(glyph)[touched] for glyph in glyphs])

    def drawn(self, glyph: npt.NDArray[np.bool_]) -> Floats:
        """The ink [84, 84] of a glyph [5, 3] at this reader's place."""
        blocks = np.kron(glyph, np.ones(self._block))
        native = np.zeros(NATIVE)
        native[self._top : self._top + blocks.shape[0], self._left : self._left + blocks.shape[1]] = blocks
        return shrunk(native)

    def read(self, ink_BHW: Floats) -> npt.NDArray[np.int64]:
        """Ink [B, 84, 84], 0 to 1 -> digits [B]; BLANK where there is no ink, UNREADABLE where no digit fits."""
        ink_BP = ink_BHW[:, self._touched]
        difference_BN = np.sqrt(((ink_BP[:, None] - self._templates_NP) ** 2).mean(axis=2))
        best_B = difference_BN.argmin(axis=1)
        value_B = self._values[best_B]
        least_B = difference_BN.min(axis=1)
        others_BN = np.where(self._values == value_B[:, None], np.inf, difference_BN)
        sure_B = (least_B <= _MAX_DIFFERENCE) & (others_BN.min(axis=1) - least_B >= _MIN_MARGIN)
        return np.where(sure_B, value_B, UNREADABLE)


def number(digits_NB: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Digits from left to right as one number [B]; blanks may lead. UNREADABLE where a digit is, or all are blank.

    Example:
        >>> number([np.array([BLANK, 1, -1]), np.array([7, 2, 3])]).tolist()
        [7, 12, -1]
    """
    value = np.zeros_like(digits_NB[0])
    broken = digits_NB[-1] == BLANK
    for digit in digits_NB:
        broken |= (digit == UNREADABLE) | ((digit == BLANK) & (value > 0))
        value = 10 * value + np.where(digit == BLANK, 0, digit)
    return np.where(broken, UNREADABLE, value)


def _shapes(steps: Sequence[int]) -> Iterator[tuple[bytes, int]]:
    """Every readable shape and its value. Where two changes give the same shape it stays unreadable."""
    plain = {glyph.tobytes(): value for value, glyph in enumerate(_GLYPHS)}
    mixed: dict[bytes, set[int]] = {}
    for step in steps:
        for new in range(10):
            mixed.setdefault((_GLYPHS[new] | _GLYPHS[(new - step) % 10]).tobytes(), set()).add(new)
    yield from plain.items()
    yield from ((shape, min(news)) for shape, news in mixed.items() if shape not in plain and len(news) == 1)
