"""Sizes of worlds, as data: the same code trains all. Any of them is a point to depart from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from world_model.conv_tokenizer import ConvTokenizerConfig
from world_model.dynamics import DynamicsConfig
from world_model.world import TokenizerConfig


@dataclass(frozen=True)
class NanoPreset:
    """For two CPU cores: about 110 MFLOP a frame at three evaluations, decoder included."""

    name: Literal["nano"] = "nano"
    tokenizer: TokenizerConfig = field(default_factory=ConvTokenizerConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)


@dataclass(frozen=True)
class SmallPreset:
    """For an hour of a GPU or a night of a CPU: about 650 MFLOP a frame."""

    name: Literal["small"] = "small"
    tokenizer: TokenizerConfig = field(default_factory=lambda: ConvTokenizerConfig(hidden=192))
    dynamics: DynamicsConfig = field(
        default_factory=lambda: DynamicsConfig(
            width=256, local=512, layers=4, time_layers=(0, 2), head_layers=1, heads=8, mlp=3, memory_width=64
        )
    )


@dataclass(frozen=True)
class BasePreset:
    """For one large GPU: about 5 GFLOP a frame."""

    name: Literal["base"] = "base"
    tokenizer: TokenizerConfig = field(default_factory=lambda: ConvTokenizerConfig(hidden=384, channels=64))
    dynamics: DynamicsConfig = field(
        default_factory=lambda: DynamicsConfig(
            width=512,
            local=1024,
            layers=8,
            time_layers=(0, 3, 6),
            head_layers=2,
            heads=8,
            mlp=4,
            reach=64,
            memory_width=128,
        )
    )


Preset = NanoPreset | SmallPreset | BasePreset
