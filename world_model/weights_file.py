"""The numbers of a world as safetensors: bfloat16 in the file, single precision in memory, no tensor more or less."""

from __future__ import annotations

import struct
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from world_model.plain_config import read_json
from world_model.world import World

BYTES_PER_NUMBER = 2
_SHIPPED = torch.bfloat16
# As safetensors calls them.
_TYPE_NAMES = {torch.bfloat16: "BF16", torch.int64: "I64", torch.int16: "I16", torch.bool: "BOOL"}
_MAX_HEADER_BYTES = 1 << 20


class InvalidWeights(ValueError):
    """Weights that are damaged or another world's; the message names the tensor."""


def weights_to_bytes(world: World) -> bytes:
    """The file's content; what is not a whole number is rounded to bfloat16."""
    tensors = ((name, tensor.detach().cpu()) for name, tensor in world.state_dict().items())
    return save_tensors({name: tensor.to(_shipped_type(tensor)).contiguous() for name, tensor in tensors})


def check_length(world: World, length: int) -> None:
    """InvalidWeights if a file of `length` bytes is too large to be this world's, so that nobody needs to read it."""
    most = _MAX_HEADER_BYTES + sum(
        tensor.numel() * _shipped_type(tensor).itemsize for tensor in world.state_dict().values()
    )
    if length > most:
        raise InvalidWeights(f"it has {length} bytes; expected at most {most}, as the config describes it")


@torch.no_grad()
def fill_weights(world: World, content: bytes) -> None:
    """Write the numbers of the file into the world, once names, types and shapes were found to be the world's."""
    blanks = world.state_dict()
    _require_tensors(_header(content), blanks)
    try:
        tensors = load_tensors(content)
    except SafetensorError as fault:
        raise InvalidWeights(f"it is not safetensors: {fault}") from fault
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InvalidWeights(f"tensor {name} holds numbers that are not finite; train or copy the world anew")
        blanks[name].copy_(tensor)


def _shipped_type(tensor: Tensor) -> torch.dtype:
    return _SHIPPED if tensor.is_floating_point() else tensor.dtype


def _header(content: bytes) -> dict[str, Any]:
    """What the file says of its tensors, without looking at them."""
    length = struct.unpack_from("<Q", content)[0] if len(content) >= 8 else 0
    if not 0 < length <= min(_MAX_HEADER_BYTES, len(content) - 8):
        raise InvalidWeights(f"its header claims {length} bytes; expected 1 to {_MAX_HEADER_BYTES}, within the file")
    header = read_json(content[8 : 8 + length])
    if not isinstance(header, dict) or not all(isinstance(each, dict) for each in header.values()):
        raise InvalidWeights("its header does not describe tensors")
    return header


def _require_tensors(header: dict[str, Any], blanks: dict[str, Tensor]) -> None:
    if header.keys() != blanks.keys():
        unknown, missing = sorted(header.keys() - blanks.keys()), sorted(blanks.keys() - header.keys())
        raise InvalidWeights(f"unknown tensors {unknown[:3]}, missing tensors {missing[:3]}: another config's weights")
    for name, blank in blanks.items():
        found = header[name].get("dtype"), header[name].get("shape")
        expected = _TYPE_NAMES[_shipped_type(blank)], list(blank.shape)
        if found != expected:
            raise InvalidWeights(
                f"tensor {name} is {found[0]} {found[1]}; the config asks for {expected[0]} {expected[1]}"
            )
