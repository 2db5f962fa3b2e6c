"""Results that do not depend on how many rows are computed side by side.

CPU kernels for a handful of rows sum in another order than those for many, and so do those for one to three outputs,
which shows in the last bit. A lane of a vector environment must give the very frames of a single environment, so what
is small is padded; what lies in the padding is thrown away. From how many rows on a kernel is the one for many is a
matter of the processor: with AVX-512, 8 did on AMD's, and 16 do on Intel's too; with Intel's AVX2 alone, no padding of
this kind does. Elementwise kernels take up to 32 numbers at a time and what is left one by one, by other formulas:
widths that are multiples of 32 leave nothing. `neural-env doctor` checks that this suffices on a machine.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_ROWS = 16
_LEAST_OUTPUTS = 4
_WHOLE = 32


def require_whole(name: str, width: int) -> None:
    """Refuse a width that leaves numbers over.

    Example:
        >>> require_whole("hidden", 96)
    """
    if width < 1 or width % _WHOLE:
        raise ValueError(f"{name} is {width}; expected a multiple of {_WHOLE}")


def row_linear(x: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """`F.linear`, of which each row is the same in any company [..., I] -> [..., O].

    Example:
        >>> import torch
        >>> row_linear(torch.ones(1, 2), torch.ones(3, 2)).tolist()
        [[2.0, 2.0, 2.0]]
    """
    outputs, inputs = weight_OI.shape
    rows = x.numel() // inputs
    if outputs < _LEAST_OUTPUTS:
        weight_OI = F.pad(weight_OI, (0, 0, 0, _LEAST_OUTPUTS - outputs))
        bias_O = None if bias_O is None else F.pad(bias_O, (0, _LEAST_OUTPUTS - outputs))
    if 0 < rows < _LEAST_ROWS:
        padded_RI = F.pad(x.reshape(rows, inputs), (0, 0, 0, _LEAST_ROWS - rows))
        padded_XO = F.linear(padded_RI, weight_OI, bias_O)[:rows].view(*x.shape[:-1], -1)
    else:
        padded_XO = F.linear(x, weight_OI, bias_O)
    return padded_XO[..., :outputs]


class RowLinear(nn.Linear):
    """A linear layer by `row_linear`: what every layer of a world is that runs while it dreams."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        return row_linear(x, self.weight, self.bias)
