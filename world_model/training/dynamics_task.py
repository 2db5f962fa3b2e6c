"""What dynamics and outcome are trained for: the next latents, rewards and ends of runs of frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from data_gen.split_cache import WindowBatch
from world_model.draft import Draft
from world_model.objectives.context_noise import ContextNoiseConfig, noised
from world_model.objectives.missed_changes import MissedConfig, with_missed_changes
from world_model.objectives.own_output import dreamt_run
from world_model.objectives.shown_glyphs import ShownConfig, shown_glyphs
from world_model.objectives.strange_tokens import StrangeConfig, with_strange_tokens
from world_model.sampler import sample
from world_model.training.draws import Draws
from world_model.world import World

_EVALUATIONS = 5  # for what the model itself makes of a step, as most dreams have it


@dataclass(frozen=True)
class DynamicsTaskConfig:
    """Which objectives, and how they are weighed against each other."""

    shown: ShownConfig = field(default_factory=ShownConfig)
    context_noise: ContextNoiseConfig = field(default_factory=ContextNoiseConfig)
    missed: MissedConfig = field(default_factory=MissedConfig)
    strange: StrangeConfig = field(default_factory=StrangeConfig)
    changed: float = 25.0  # what a token that changes weighs, beside 1
    moment: float = 0.0  # what a step at a moment weighs, beside 1, if moments are named
    pixels: float = 0.0  # weight of the loss through the decoder; a third more time at a quarter of the frames
    pixel_share: float = 0.25  # of the frames are decoded for it
    outcome: float = 0.05
    untold: float = 0.25  # share of windows in which up to some step nobody knows what was paid, as after a start
    dreamt: float = 0.0  # share of the steps whose run is the model's own output
    lean: float = 3.0  # of such a run towards what really came, see `dreamt_run`
    likelihood: float = 0.1  # weight of how likely each change and each glyph is
    action_dropout: float = 0.0  # share of the frames whose ticks are hidden, for guidance

    def __post_init__(self) -> None:
        if self.moment < 0:
            raise ValueError(f"moment is {self.moment}; expected 0 or more")


class DynamicsTask:
    """Learns from windows over latents; `others` are frames from which strange tokens may come.

    `moments_F` says of each row of the windows' frames whether it is a moment, see `moments.py`. `ends_shown` says
    whether the game shows the frame with which it ends.
    """

    def __init__(
        self,
        world: World,
        config: DynamicsTaskConfig,
        others_FND: Tensor,
        moments_F: Tensor | None = None,
        ends_shown: bool = True,
    ) -> None:
        world.tokenizer.requires_grad_(False)
        self._moments_F = moments_F
        self._ends_shown = ends_shown
        self._others_FND = others_FND.to(world.dynamics.place)
        self.module: nn.Module = _Learners(world)
        self._world = world
        self._config = config

    def losses(self, batch: WindowBatch, draws: Draws) -> dict[str, Tensor]:
        """See `Task`. The batch's `frames` are latents [B, T + 1, N, D]."""
        world, config = self._world, self._config
        draws = draws.for_rows(len(batch.frames))
        device = world.dynamics.place.device
        latents_BTND = torch.from_numpy(batch.frames).to(device, torch.float32)
        now_BTND, next_BTND = latents_BTND[:, :-1], latents_BTND[:, 1:]
        executed_BTK = self._executed(batch, draws, device)
        context = self._context(now_BTND, executed_BTK, draws)

        features_XNE = world.dynamics.trunk(context.noised_BTND, context.level_BT, executed_BTK).flatten(0, 1)
        base_XND, next_XND = context.seen_BTND.flatten(0, 1), next_BTND.flatten(0, 1)
        # Of a frame that nobody has seen nothing is told, or that all stays would tell of the end.
        shown_X = torch.from_numpy(batch.shown).flatten().to(device)
        wanted_XN = shown_glyphs(world.dynamics.phase_N, now_BTND.shape[1], draws, config.shown)
        known_XN = wanted_XN & shown_X[:, None]
        draft = Draft(known_XN, *world.dynamics.glyphs.what_came(base_XND, next_XND))
        x_XNE = world.dynamics.look(features_XNE, base_XND, draft)
        predicted_XND = world.dynamics.land(x_XNE, base_XND, draft)

        weights_X = self._weights(batch, device) * shown_X
        weights_XN = (1 + config.changed * draft.changes_XN) * weights_X[:, None]
        latent = ((predicted_XND - next_XND).square().mean(-1) * weights_XN).mean()
        likelihood = self._surprise(x_XNE, draft, weights_X)
        landed_XND = predicted_XND.detach().clamp(-1, 1)
        if not self._ends_shown:
            drawn_X = wanted_XN.all(-1)
            landed_XND[drawn_X] = self._drawn(features_XNE, base_XND, drawn_X, draws).to(landed_XND)
        own_X = wanted_XN.all(-1) | ~wanted_XN.any(-1)
        then_XND = torch.where(own_X[:, None, None], landed_XND, next_XND)
        asked_X = own_X | shown_X if self._ends_shown else own_X
        reward, termination = self._outcome(features_XNE, base_XND, then_XND, asked_X, batch, draws)
        losses = {"latent": latent, "likelihood": likelihood, "reward": reward, "termination": termination}
        total = latent + config.likelihood * likelihood + config.outcome * (reward + termination)
        if config.pixels:
            losses["pixels"] = self._pixel_loss(now_BTND.flatten(0, 1), predicted_XND, next_XND, shown_X)
            total = total + config.pixels * losses["pixels"]
        return {"loss": total, **{name: value.detach() for name, value in losses.items()}}

    def _executed(self, batch: WindowBatch, draws: Draws, device: torch.device) -> Tensor:
        executed_BTK = torch.from_numpy(batch.executed).to(device)
        if not self._config.action_dropout:
            return executed_BTK
        hidden_BT = draws.uniform(executed_BTK.shape[1]) < self._config.action_dropout
        return torch.where(hidden_BT[..., None], -1, executed_BTK)

    def _context(self, now_BTND: Tensor, executed_BTK: Tensor, draws: Draws) -> _Context:
        """Real frames, or, at a share of the steps, a dreamt run.

        Of real frames some lack a change, and some hold what does not belong there.
        """
        config = self._config
        if draws.coin(config.dreamt):
            real_B = 1 + draws.integers(now_BTND.shape[1])
            uniform_BTN = draws.uniform(*now_BTND.shape[1:3])
            with torch.autocast(now_BTND.device.type, enabled=False):  # dreamt as it will be, not as it is learned
                run_BTND = dreamt_run(self._world, now_BTND, executed_BTK, real_B, uniform_BTN, config.lean)
            return _Context(run_BTND, run_BTND.new_zeros(run_BTND.shape[:2]), run_BTND)
        run_BTND = with_missed_changes(now_BTND, draws, config.missed, self._world.config.dynamics.least_change)
        run_BTND = with_strange_tokens(run_BTND, self._others_FND, draws, config.strange)
        return _Context(*noised(run_BTND, draws, config.context_noise), run_BTND)

    def _weights(self, batch: WindowBatch, device: torch.device) -> Tensor:
        """What each step weighs [X]."""
        sighted_X = _sighted(batch, device)
        if self._moments_F is None:
            return sighted_X
        rows_BT = torch.from_numpy(batch.rows)[:, None] + torch.arange(batch.rewards.shape[1])
        rows_BT = rows_BT.clamp(max=len(self._moments_F) - 1)  # past an end, where nothing weighs anything
        return sighted_X * (1 + self._config.moment * self._moments_F[rows_BT].flatten().to(device))

    def _surprise(self, x_XNE: Tensor, came: Draft, weights_X: Tensor) -> Tensor:
        """How far from expected the tokens are whose fate is not shown, in nats a frame.

        Weighed by nothing that came of it, or what was rare would be thought frequent. Only tokens that change are
        asked for a glyph: each answer is some thousand numbers.
        """
        glyphs = self._world.dynamics.glyphs
        weights_XN = weights_X[:, None].expand_as(came.known_XN)
        asked_XN = ~came.known_XN & (weights_XN > 0)
        gate_Y = nn.functional.binary_cross_entropy_with_logits(
            glyphs.change_logits(x_XNE)[asked_XN], came.changes_XN[asked_XN].float(), reduction="none"
        )
        changing_XN = asked_XN & came.changes_XN
        logits_YV = glyphs.logits(x_XNE[changing_XN])
        which_Y = nn.functional.cross_entropy(logits_YV, came.glyph_XN[changing_XN], reduction="none")
        return ((gate_Y * weights_XN[asked_XN]).sum() + (which_Y * weights_XN[changing_XN]).sum()) / len(x_XNE)

    def _outcome(
        self,
        features_XNE: Tensor,
        base_XND: Tensor,
        then_XND: Tensor,
        asked_X: Tensor,
        batch: WindowBatch,
        draws: Draws,
    ) -> tuple[Tensor, Tensor]:
        """Losses beside what follows, of the steps that are asked about.

        Of a frame that nobody has seen there is no true picture to ask beside. Where that is how a game ends, outcomes
        are only asked for beside what the model made itself, be it the next step's frame or the last: what is made in
        one way must be as often the last as it is in the game, or that way would be the sign of the end. So must
        rewards be: a game that ends within a step pays for a part of it, and no true frame ever shows that.
        """
        outcome = self._world.outcome
        rewards_BT = torch.from_numpy(batch.rewards).to(then_XND.device)
        paid_XP = outcome.paid_before(self._told(rewards_BT, draws)).flatten(0, 1)
        terminated_X = torch.from_numpy(batch.terminated).flatten().to(then_XND.device)
        logits = outcome(features_XNE, base_XND, then_XND, paid_XP)
        return outcome.losses(logits, torch.where(asked_X, rewards_BT.flatten(), torch.nan), terminated_X)

    def _told(self, rewards_BT: Tensor, draws: Draws) -> Tensor:
        """The rewards without those, in some windows, before some step: a dream that starts there knows none."""
        starts_B = draws.integers(rewards_BT.shape[1])
        untold_B = draws.uniform() < self._config.untold
        before_BT = torch.arange(rewards_BT.shape[1], device=rewards_BT.device) < starts_B[:, None]
        return torch.where(untold_B[:, None] & before_BT, torch.nan, rewards_BT)

    @torch.no_grad()
    def _drawn(self, features_XNE: Tensor, base_XND: Tensor, wanted_X: Tensor, draws: Draws) -> Tensor:
        """What the model itself makes of the steps that are wanted [Y, N, D].

        Where a game ends without a picture (Doom), no glyph of its end is ever known. Were the end only ever asked for
        beside the mean of what may come, that blur would be its sign, and nobody would die in a sharp dream; were
        nothing but ends drawn, every slip of the draw would be its sign, and everybody would die at once.
        """
        dynamics = self._world.dynamics
        uniform_XN = draws.uniform(len(base_XND) // draws.rows, dynamics.tokens).flatten(0, 1)
        with torch.autocast(base_XND.device.type, enabled=False):
            features_YNE = features_XNE[wanted_X].float()
            drawn = sample(dynamics, features_YNE, base_XND[wanted_X], _EVALUATIONS, 1.0, uniform_XN[wanted_X])
        return drawn.clamp(-1, 1)

    def _pixel_loss(self, now_XND: Tensor, predicted_XND: Tensor, next_XND: Tensor, shown_X: Tensor) -> Tensor:
        """Squared error of the decoded picture, on the pixels that change and those that should not have."""
        count = max(1, round(len(now_XND) * self._config.pixel_share))
        # Windows come in random order: every so many rows is as good as a draw.
        rows = torch.arange(count, device=now_XND.device) * len(now_XND) // count
        decode = self._world.tokenizer.decode
        with torch.no_grad():
            before, real = decode(now_XND[rows]), decode(next_XND[rows])
        changed = (real - before).abs().amax(1, keepdim=True) > 0.02
        errors = (decode(predicted_XND[rows]) - real).square()
        return (errors * (0.2 + self._config.changed * changed) * shown_X[rows, None, None, None]).mean()


def _sighted(batch: WindowBatch, device: torch.device) -> Tensor:
    """[X]: 0 for the first frame of a window in the middle of a game, and 1 elsewhere.

    One frame tells no speeds. Where a game begins there is no more to know; elsewhere, asking for what cannot be known
    would be a fifth of the loss.
    """
    sighted_BT = torch.ones(batch.rewards.shape)
    sighted_BT[:, 0] = torch.from_numpy(batch.starts == 0).float()
    return sighted_BT.flatten().to(device)


class _Context(NamedTuple):
    """The runs from which the next frames are to be foretold."""

    noised_BTND: Tensor  # as the trunk sees them
    level_BT: Tensor  # of the noise
    # On this the next frame lands: a token that is not as that wants it has to change, be it that the game moved on or
    # that the dream had gone wrong.
    seen_BTND: Tensor


class _Learners(nn.Module):
    """The parts of a world that this task trains."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.dynamics = world.dynamics
        self.outcome = world.outcome
