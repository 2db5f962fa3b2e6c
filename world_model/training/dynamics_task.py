"""What dynamics and outcome are trained for: the next latents, rewards and ends of runs of frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from data_gen.windows import WindowBatch
from world_model.objectives.attention_to_change import change_weights
from world_model.objectives.context_noise import ContextNoiseConfig, noised
from world_model.objectives.flow import FlowConfig, FlowPoint, flow_point
from world_model.objectives.nearest_fork import nearest_fork
from world_model.objectives.own_output import dreamt_run
from world_model.objectives.shortcut import shortcut_errors, two_half_steps
from world_model.training.draws import Draws
from world_model.world import World


@dataclass(frozen=True)
class DynamicsTaskConfig:
    """Which objectives, and how they are weighed against each other."""

    flow: FlowConfig = field(default_factory=FlowConfig)
    context_noise: ContextNoiseConfig = field(default_factory=ContextNoiseConfig)
    changed: float = 25.0  # what a token that changes weighs, beside 1
    pixels: float = 0.0  # weight of the loss through the decoder; a third more time at a quarter of the frames
    pixel_share: float = 0.25  # of the frames are decoded for it
    outcome: float = 0.05
    dreamt: float = 0.0  # share of the steps whose run is the model's own output
    hints: tuple[float, ...] = (0.0, 0.25, 0.5)  # times at which the flow of such a run is entered, see `dreamt_run`
    right: float = 0.25  # a token's error beyond this asks for another way on, see `nearest_fork`; 2 is never exceeded
    likelihood: float = 0.05  # weight of how likely each way is
    shortcut: float = 0.0  # share of the rows off pure noise that learn to agree with two half steps
    action_dropout: float = 0.0  # share of the frames whose ticks are hidden, for guidance


class DynamicsTask:
    """Learns from windows over latents."""

    def __init__(self, world: World, config: DynamicsTaskConfig) -> None:
        world.tokenizer.requires_grad_(False)
        self.module: nn.Module = _Learners(world)
        self._world = world
        self._config = config

    def losses(self, batch: WindowBatch, draws: Draws) -> dict[str, Tensor]:
        """See `Task`. The batch's `frames` are latents [B, T + 1, N, D]."""
        world, config = self._world, self._config
        device = world.dynamics.place.device
        latents_BTND = torch.from_numpy(batch.frames).to(device, torch.float32)
        now_BTND, next_BTND = latents_BTND[:, :-1], latents_BTND[:, 1:]
        executed_BTK = self._executed(batch, draws, device)
        context_BTND, level_BT, seen_BTND = self._context(now_BTND, executed_BTK, draws)

        features_XNE = world.dynamics.trunk(context_BTND, level_BT, executed_BTK).flatten(0, 1)
        base_XND, next_XND = context_BTND.flatten(0, 1), next_BTND.flatten(0, 1)
        weights_XN = change_weights(seen_BTND.flatten(0, 1), next_XND, config.changed)
        fork_X = nearest_fork(world, features_XNE, base_XND, next_XND, weights_XN, config.right)
        taken_XNE = world.dynamics.forks.taken(features_XNE, fork_X)
        point = flow_point(next_BTND, draws, config.flow)

        def predict(noisy: Tensor, tau: Tensor, stride: Tensor) -> Tensor:
            return world.dynamics.predict(taken_XNE, base_XND, noisy, tau, stride)

        predicted_XND = predict(*point)
        errors_XND = (predicted_XND - next_XND).square()
        if config.shortcut:
            bootstrapped_X = (draws.uniform(now_BTND.shape[1]).flatten() < config.shortcut) & (point.tau_X > 0)
            target_XND = two_half_steps(predict, *point)
            errors_XND = torch.where(
                bootstrapped_X[:, None, None],
                shortcut_errors(predicted_XND, point.noisy_XND, point.tau_X, target_XND),
                errors_XND,
            )
        sighted_X = _sighted(batch, device)
        latent = (errors_XND.mean(-1) * weights_XN * sighted_X[:, None]).mean()
        likelihood_X = nn.functional.cross_entropy(world.dynamics.forks.logits(features_XNE), fork_X, reduction="none")
        likelihood = (likelihood_X * sighted_X).mean()
        reward, termination = self._outcome(features_XNE, base_XND, predicted_XND, next_XND, point, batch)
        losses = {"latent": latent, "likelihood": likelihood, "reward": reward, "termination": termination}
        total = latent + config.likelihood * likelihood + config.outcome * (reward + termination)
        if config.pixels:
            losses["pixels"] = self._pixel_loss(now_BTND.flatten(0, 1), predicted_XND, next_XND, draws)
            total = total + config.pixels * losses["pixels"]
        return {"loss": total, **{name: value.detach() for name, value in losses.items()}}

    def _executed(self, batch: WindowBatch, draws: Draws, device: torch.device) -> Tensor:
        executed_BTK = torch.from_numpy(batch.executed).to(device)
        if not self._config.action_dropout:
            return executed_BTK
        hidden_BT = draws.uniform(executed_BTK.shape[1]) < self._config.action_dropout
        return torch.where(hidden_BT[..., None], -1, executed_BTK)

    def _context(self, now_BTND: Tensor, executed_BTK: Tensor, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """What the trunk sees, and the levels of noise in it: real frames, or, at a share of the steps, a dreamt run.

        The third part is that without the noise: a token that is not as the next frame wants it has to change, be it
        that the game moved on or that the dream had gone wrong.
        """
        config = self._config
        if draws.coin(config.dreamt):
            real_B = 1 + draws.integers(now_BTND.shape[1])
            noise_BTND = draws.normal(*now_BTND.shape[1:])
            hint_B = torch.tensor(config.hints, device=now_BTND.device)[draws.integers(len(config.hints))]
            run_BTND = dreamt_run(
                self._world, now_BTND, executed_BTK, real_B, noise_BTND, hint_B, config.changed, config.right
            )
            return run_BTND, run_BTND.new_zeros(run_BTND.shape[:2]), run_BTND
        return (*noised(now_BTND, draws, config.context_noise), now_BTND)

    def _outcome(
        self,
        features_XNE: Tensor,
        base_XND: Tensor,
        predicted_XND: Tensor,
        next_XND: Tensor,
        point: FlowPoint,
        batch: WindowBatch,
    ) -> tuple[Tensor, Tensor]:
        """Losses on the model's own next latents where one evaluation made them, and on the true ones elsewhere."""
        outcome = self._world.outcome
        own_X = (point.tau_X == 0)[:, None, None]
        then_XND = torch.where(own_X, predicted_XND.detach().clamp(-1, 1), next_XND)
        rewards_X = torch.from_numpy(batch.rewards).flatten().to(then_XND.device)
        terminated_X = torch.from_numpy(batch.terminated).flatten().to(then_XND.device)
        return outcome.losses(outcome(features_XNE, base_XND, then_XND), rewards_X, terminated_X)

    def _pixel_loss(self, now_XND: Tensor, predicted_XND: Tensor, next_XND: Tensor, draws: Draws) -> Tensor:
        """Squared error of the decoded picture, on the pixels that change and those that should not have."""
        count = max(1, round(len(now_XND) * self._config.pixel_share))
        # Windows come in random order: every so many rows is as good as a draw.
        rows = torch.arange(count, device=now_XND.device) * len(now_XND) // count
        decode = self._world.tokenizer.decode
        with torch.no_grad():
            before, real = decode(now_XND[rows]), decode(next_XND[rows])
        changed = (real - before).abs().amax(1, keepdim=True) > 0.02
        errors = (decode(predicted_XND[rows]) - real).square()
        return (errors * (0.2 + self._config.changed * changed)).mean()


def _sighted(batch: WindowBatch, device: torch.device) -> Tensor:
    """[X]: 0 for the first frame of a window in the middle of a game, and 1 elsewhere.

    One frame tells no speeds. Where a game begins there is no more to know; elsewhere, asking for what cannot be known
    would be a fifth of the loss.
    """
    sighted_BT = torch.ones(batch.rewards.shape)
    sighted_BT[:, 0] = torch.from_numpy(batch.starts == 0).float()
    return sighted_BT.flatten().to(device)


class _Learners(nn.Module):
    """The parts of a world that this task trains."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.dynamics = world.dynamics
        self.outcome = world.outcome
