"""What a row gives does not depend on those beside it, whatever the processor's kernels make of a few."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from world_model.few_rows import RowLinear, require_whole, row_linear

_ROWS = [*range(18), 25, 49, 131]


@pytest.mark.parametrize(("inputs", "outputs"), [(32, 1), (96, 2), (192, 3), (96, 8192), (864, 512), (1568, 64)])
def test_a_row_is_the_same_to_the_last_bit_however_many_there_are(inputs: int, outputs: int) -> None:
    """Intel's kernels for up to 15 rows, or for one output, are others than those for more."""
    x_RI, weight_OI, bias_O = _drawn(300, inputs), _drawn(outputs, inputs), _drawn(outputs)
    expected = row_linear(x_RI, weight_OI, bias_O)
    for rows in _ROWS:
        assert torch.equal(row_linear(x_RI[:rows], weight_OI, bias_O), expected[:rows]), f"{rows} rows"


@pytest.mark.parametrize("shape", [(1, 32), (2, 3, 32), (2, 0, 32), (40, 32)])
@pytest.mark.parametrize("outputs", [1, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_linear_layer_in_value_and_gradient(shape: tuple[int, ...], outputs: int, bias: bool) -> None:
    layer, x = RowLinear(32, outputs, bias=bias), _drawn(*shape).requires_grad_()
    ours, theirs = layer(x), F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(ours, theirs)
    wanted = [x, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(ours.square().sum(), wanted), torch.autograd.grad(theirs.square().sum(), wanted)
    )


def test_a_width_that_leaves_numbers_over_is_refused() -> None:
    with pytest.raises(ValueError, match="hidden is 40; expected a multiple of 32"):
        require_whole("hidden", 40)


def _drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
