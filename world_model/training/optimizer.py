"""AdamW, with weight decay only where it means something."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

# A LayerNorm over several dimensions has weights of two, which decay would pull from 1 to 0 all the same.
_UNDECAYED_MODULES = (nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
_UNDECAYED_NAMES = ("bias", "embedding")  # own name of a bare parameter: `position_embedding`, `distance_bias`


def make_optimizer(module: nn.Module, weight_decay: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    """AdamW on the trainable parameters; whoever steps it sets the learning rate before."""
    decayed = set(_decayed(module))
    trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for name, parameter in trained if name in decayed], "weight_decay": weight_decay},
        {"params": [parameter for name, parameter in trained if name not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=betas, fused=_all_on_a_fused_device(module))


def _decayed(module: nn.Module) -> Iterator[str]:
    """Full names of the matrices and convolutions: neither biases, nor norms, nor embeddings."""
    for prefix, owner in module.named_modules():
        for name, parameter in owner.named_parameters(recurse=False):
            spared = isinstance(owner, _UNDECAYED_MODULES) or name.endswith(_UNDECAYED_NAMES)
            if parameter.ndim >= 2 and not spared:
                yield f"{prefix}.{name}" if prefix else name


def _all_on_a_fused_device(module: nn.Module) -> bool:
    return all(parameter.device.type in ("cpu", "cuda") for parameter in module.parameters())
