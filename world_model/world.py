"""A world: tokenizer, dynamics and outcome of one game, as one module made from one config."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data_gen.spec import GameSpec
from world_model.conv_tokenizer import ConvTokenizer, ConvTokenizerConfig
from world_model.dynamics import Dynamics, DynamicsConfig
from world_model.outcome import Outcome, OutcomeConfig
from world_model.patch_tokenizer import PatchTokenizer, PatchTokenizerConfig
from world_model.picture import Picture
from world_model.surprise import LEAST_LIMIT, limit_of_real

TokenizerConfig = ConvTokenizerConfig | PatchTokenizerConfig


@dataclass(frozen=True)
class WorldConfig:
    """Everything that decides the shapes of a world."""

    game: GameSpec
    tokenizer: TokenizerConfig
    dynamics: DynamicsConfig
    outcome: OutcomeConfig


class World(nn.Module):
    """The three networks of a world."""

    def __init__(self, config: WorldConfig) -> None:
        super().__init__()
        self.config = config
        game = config.game
        self.tokenizer = make_tokenizer(config.tokenizer, game.frame_size)
        self.dynamics = Dynamics(
            config.dynamics, self.tokenizer.grid, self.tokenizer.width, game.num_actions, game.ticks_per_step
        )
        self.outcome = Outcome(config.outcome, config.dynamics.width, self.tokenizer.width, self.dynamics.tokens)
        self.register_buffer("strangeness_limit", torch.ones(1))
        self.strangeness_limit: Tensor

    def surprise(self, picture: Picture) -> Tensor:
        """How unlike real frames these are [B]; above 1: one real frame in a thousand is as much."""
        return picture.strangeness_BN.amax(-1) / self.strangeness_limit.clamp(min=LEAST_LIMIT)

    def calibrate_surprise(self, frames_BHWC: Tensor) -> None:
        """Learn from real frames, unseen in training, what is no surprise."""
        self.strangeness_limit.fill_(limit_of_real(self.tokenizer, frames_BHWC))


def make_tokenizer(config: TokenizerConfig, frame_size: tuple[int, int]) -> ConvTokenizer | PatchTokenizer:
    """The tokenizer that a config describes."""
    if isinstance(config, PatchTokenizerConfig):
        return PatchTokenizer(config, frame_size)
    return ConvTokenizer(config, frame_size)
