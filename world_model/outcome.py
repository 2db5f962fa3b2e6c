"""The outcome of a step: how likely each reward is, and how likely it is that the game is over with it.

Read from the trunk's features and from the next latents as they were generated, so that reward and picture agree.
The end is asked for beside each reward: in many games only a step that pays can be the last.

What was paid in the last steps is told. A picture alone does not say it: in Pong a score moves with the reward or one
frame later, and a dream that did not know what it had paid let points go unpaid, and paid others twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from world_model.few_rows import RowLinear, require_whole
from world_model.pixels import precise


@dataclass(frozen=True)
class OutcomeConfig:
    """Sizes, and the raw reward values that the game gives."""

    rewards: tuple[float, ...]  # ascending; as seen in the data
    rarity: float = 0.5  # rare classes weigh their frequency to the power of minus this in training
    token_width: int = 32  # what each token has to say about the outcome
    hidden: int = 64
    recall: int = 4  # steps of which it is told what they paid

    def __post_init__(self) -> None:
        require_whole("token_width", self.token_width)
        require_whole("hidden", self.hidden)
        if self.recall < 1:
            raise ValueError(f"recall is {self.recall}; expected at least 1")


class Outcome(nn.Module):
    """Logits of rewards and termination, calibrated in spite of the weights that training gives to rare classes."""

    def __init__(self, config: OutcomeConfig, width: int, latent_width: int, tokens: int) -> None:
        super().__init__()
        self.config = config
        self.token = RowLinear(width + 2 * latent_width, config.token_width)
        self.hidden = RowLinear(tokens * config.token_width, config.hidden)
        self.reward = RowLinear(config.hidden, len(config.rewards))
        self.termination = RowLinear(config.hidden, 2 * len(config.rewards))
        # A row for each reward and one for those that nobody knows; of zeros, as if nothing had been told.
        self.recalled_PVH = nn.Parameter(torch.zeros(config.recall, len(config.rewards) + 1, config.hidden))
        self.register_buffer("values", torch.tensor(config.rewards), persistent=False)
        self.values: Tensor
        # How often each class occurs in the data; what training multiplied by, reading divides by.
        self.register_buffer("reward_shares", torch.full((len(config.rewards),), 1.0 / len(config.rewards)))
        self.register_buffer("termination_shares", torch.tensor([0.5, 0.5]))
        self.reward_shares: Tensor
        self.termination_shares: Tensor

    def forward(
        self, features_XNE: Tensor, latents_XND: Tensor, next_XND: Tensor, paid_XP: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the rewards [X, values] and, with each, of going on or ending [X, values, 2].

        `paid_XP` has the classes of the last rewards, the newest last. As trained: rare classes weigh more.
        """
        seen = torch.cat([features_XNE, next_XND, next_XND - latents_XND], dim=-1)
        said = nn.functional.silu(self.token(seen)).flatten(1)
        before_XH = self.hidden(said)
        for recalled_VH, paid_X in zip(self.recalled_PVH, paid_XP.unbind(1), strict=True):
            before_XH = before_XH + recalled_VH[paid_X]
        hidden = nn.functional.silu(before_XH)
        return self.reward(hidden), self.termination(hidden).unflatten(-1, (-1, 2))

    def classes(self, rewards: Tensor) -> Tensor:
        """Which of the values each reward is nearest to; for NaN the number of those that nobody knows."""
        nearest = (rewards[..., None] - self.values).abs().argmin(-1)
        return torch.where(rewards.isnan(), len(self.values), nearest)

    def nobody_knows(self, lanes: int) -> Tensor:
        """What was paid before lanes [B, P] of which only frames are known."""
        shape = (lanes, self.config.recall)
        return torch.full(shape, len(self.values), dtype=torch.int64, device=self.values.device)

    def paid_before(self, rewards_BT: Tensor) -> Tensor:
        """The classes [B, T, P] of the rewards before each step of a run; before its first, nobody knows."""
        paid = torch.cat([self.nobody_knows(len(rewards_BT)), self.classes(rewards_BT)], dim=1)
        return paid.unfold(1, self.config.recall, 1)[:, :-1]

    def probabilities(
        self, features_XNE: Tensor, latents_XND: Tensor, next_XND: Tensor, paid_XP: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Calibrated: of each reward [X, values], and of the end if that is the reward [X, values]."""
        reward, termination = self(features_XNE, latents_XND, next_XND, paid_XP)
        reward = (precise(reward) - self.weights(self.reward_shares).log()).softmax(-1)
        termination = (precise(termination) - self.weights(self.termination_shares).log()).softmax(-1)
        return reward, termination[..., 1]

    def losses(self, logits: tuple[Tensor, Tensor], rewards_X: Tensor, terminated_X: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropies of reward and termination, where the reward is known (not NaN)."""
        reward, termination = logits
        known = ~rewards_X.isnan()
        which = self.classes(rewards_X).clamp(max=len(self.values) - 1)
        reward_loss = nn.functional.cross_entropy(reward, which, self.weights(self.reward_shares), reduction="none")
        ended_X2 = termination[torch.arange(len(which), device=which.device), which]
        weights_2 = self.weights(self.termination_shares)
        termination_loss = nn.functional.cross_entropy(ended_X2, terminated_X.long(), weights_2, reduction="none")
        return torch.where(known, reward_loss, 0.0).mean(), torch.where(known, termination_loss, 0.0).mean()

    @torch.no_grad()
    def set_shares(self, rewards: Sequence[float], ended: float) -> None:
        """Tell how often each reward and the end of a game occur in the data, before training begins."""
        self.reward_shares.copy_(torch.as_tensor(rewards, dtype=torch.float32))
        self.termination_shares.copy_(torch.tensor([1 - ended, ended]))

    def weights(self, shares: Tensor) -> Tensor:
        """What each class weighs in training; 1 for the most frequent."""
        return (shares / shares.max()).clamp(min=1e-6).pow(-self.config.rarity)
