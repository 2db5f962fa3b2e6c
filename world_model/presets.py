"""Sizes of worlds, as data: the same code trains all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from world_model.conv_tokenizer import ConvTokenizerConfig
from world_model.dynamics import DynamicsConfig
from world_model.world import TokenizerConfig

PresetName = Literal["nano", "small", "base"]


@dataclass(frozen=True)
class Sizes:
    """What decides how large a world is."""

    tokenizer: TokenizerConfig = field(default_factory=ConvTokenizerConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)


PRESETS: dict[PresetName, Sizes] = {
    # Two CPU cores: about 50 MFLOP a frame, decoder included.
    "nano": Sizes(),
    # A GPU for an hour, or a CPU for a night: about 300 MFLOP.
    "small": Sizes(
        ConvTokenizerConfig(hidden=192, channels=8),
        DynamicsConfig(width=256, layers=4, time_layers=(0, 2), head_layers=1, heads=8, mlp=3, memory_width=64),
    ),
    # One large GPU: about 2.5 GFLOP.
    "base": Sizes(
        ConvTokenizerConfig(hidden=384, channels=16),
        DynamicsConfig(
            width=512, layers=8, time_layers=(0, 3, 6), head_layers=2, heads=8, mlp=4, reach=64, memory_width=128
        ),
    ),
}
