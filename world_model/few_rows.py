"""Results that do not depend on how many rows are computed side by side.

CPU kernels for a handful of rows sum in another order than those for many, which shows in the last bit. A lane of a
vector environment must give the very frames of a single environment, so small batches are padded; what lies in the
padding is thrown away. Elementwise kernels take up to 32 numbers at a time and what is left one by one, by other
formulas: widths that are multiples of 32 leave nothing. `neural-env doctor` checks that this suffices on a machine.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_VECTORS = 8
_WHOLE = 32


def require_whole(name: str, width: int) -> None:
    """Refuse a width that leaves numbers over.

    Example:
        >>> require_whole("hidden", 96)
    """
    if width < 1 or width % _WHOLE:
        raise ValueError(f"{name} is {width}; expected a multiple of {_WHOLE}")


def with_least_rows(function: Callable[[Tensor], Tensor], x: Tensor, least: int) -> Tensor:
    """`function` of x, computed on at least so many rows."""
    rows = len(x)
    if rows >= least:
        return function(x)
    return function(F.pad(x, (0, 0) * (x.dim() - 1) + (0, least - rows)))[:rows]


class FrameLinear(nn.Linear):
    """A linear layer for one vector a frame; layers on tokens have rows enough as it is."""

    def forward(self, x_XE: Tensor) -> Tensor:
        """[X, in] -> [X, out]."""
        return with_least_rows(super().forward, x_XE, _LEAST_VECTORS)
