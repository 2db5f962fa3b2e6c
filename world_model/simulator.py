"""The one seam between learning and environment: a pure step over explicit state, batched, without globals.

    simulator = Simulator(world)
    state, frames = simulator.start(contexts, seeds)
    state, step = simulator.step(state, executed)        # step.frames, step.rewards, step.terminated

A lane's future depends on its own context, seed and executed ticks alone, not on how many lanes run beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_gen.policy import Frames
from world_model.glyphs import PHASES
from world_model.lane_state import SimulatorState
from world_model.memory import Memory
from world_model.picture import Picture
from world_model.pixels import to_pixels
from world_model.sampler import sample
from world_model.world import World


class SimulationDiverged(RuntimeError):
    """The network gave something that is not a finite number; nothing was emitted."""

    def __init__(self, what: str, lane: int, step: int) -> None:
        super().__init__(what, lane, step)
        self.what, self.lane, self.step = what, lane, step

    def __str__(self) -> str:
        return (
            f"the {self.what} of lane {self.lane} are not finite at step {self.step} of its dream; "
            "the weights or the context are damaged, or this precision is too low"
        )


@dataclass(frozen=True)
class SimulatorConfig:
    """How a world is sampled; none of it changes what was learned."""

    steps: int = 3  # evaluations of the head for a frame; 1: the mean of what may follow, more: rounds of drawing it
    temperature: float = 1.0  # how freely it is drawn; 0: the likeliest
    guidance: float = 1.0  # above 1, follows the action more than the data did; doubles the trunk's cost
    context_noise: float = 0.0  # noise level at which frames are taken into memory
    reward: Literal["sample", "mode"] = "sample"  # draw rewards and ends by their probabilities, or take the likeliest

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("steps", 1 <= self.steps <= PHASES + 1, f"1 to {PHASES + 1}"),
            ("temperature", 0 <= self.temperature < np.inf, "a number from 0 on"),
            ("guidance", np.isfinite(self.guidance), "a finite number"),
            ("context_noise", 0 <= self.context_noise < 1, "0 to below 1"),
            ("reward", self.reward in ("sample", "mode"), "'sample' or 'mode'"),
        ):
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected {expected}")


_STARTED = 8  # lanes at once: all that their networks compute for so many frames lies in memory together
LIKELIEST = SimulatorConfig(temperature=0.0, reward="mode")  # by which a world is judged while it trains


class Context(NamedTuple):
    """Real frames, and the ticks that led from each to the next."""

    frames: Frames  # uint8 [T, H, W, 3]
    executed: npt.NDArray[np.int64]  # [T - 1, ticks per step]

    def last(self, frames: int) -> Context:
        """The last frames, if there are as many: no more of them can be remembered."""
        first = max(0, len(self.frames) - frames)
        return Context(self.frames[first:], self.executed[first:])


class Step(NamedTuple):
    """What one step of B lanes gave."""

    frames: Frames  # uint8 [B, H, W, 3]
    rewards: npt.NDArray[np.float64]  # [B], raw game points
    terminated: npt.NDArray[np.bool_]  # [B]
    reward_probabilities: npt.NDArray[np.float64]  # [B, values]
    termination_probability: npt.NDArray[np.float64]  # [B]


class StepTensors(NamedTuple):
    """The same on the device of the world, where nothing has left it yet."""

    frames_BHWC: Tensor  # uint8
    rewards_B: Tensor  # float64
    terminated_B: Tensor
    reward_probabilities_BV: Tensor
    termination_probability_B: Tensor


class LaneSimulator(Protocol):
    """`Simulator`'s two verbs, for whoever stands on them."""

    def start(self, contexts: Sequence[Context], seeds: Sequence[int]) -> tuple[SimulatorState, Frames]:
        """Lanes that have seen these real frames, and the last of them as the dream sees it [B, H, W, 3]."""
        ...

    def step(self, state: SimulatorState, executed_BK: npt.NDArray[np.int64]) -> tuple[SimulatorState, Step]:
        """Go on by one step; the state passed in is used up (clone it to branch)."""
        ...


class Simulator:
    """A world made to run."""

    def __init__(self, world: World, config: SimulatorConfig | None = None) -> None:
        self.world = world.eval()
        self.config = config or SimulatorConfig()
        self._values_V = world.outcome.values.new_tensor(world.config.outcome.rewards, dtype=torch.float64)

    @torch.no_grad()
    def start(self, contexts: Sequence[Context], seeds: Sequence[int]) -> tuple[SimulatorState, Frames]:
        """See `LaneSimulator`."""
        if len(contexts) != len(seeds) or not contexts:
            raise ValueError(
                f"{len(contexts)} contexts and {len(seeds)} seeds; expected one seed for each of 1 or more"
            )
        contexts = [context.last(self.world.config.dynamics.reach) for context in contexts]
        lengths = [len(context.frames) for context in contexts]
        by_length = [[lane for lane, each in enumerate(lengths) if each == length] for length in sorted(set(lengths))]
        together = [alike[first : first + _STARTED] for alike in by_length for first in range(0, len(alike), _STARTED)]
        parts = [
            self._start_alike([contexts[lane] for lane in alike], [seeds[lane] for lane in alike]) for alike in together
        ]
        order = np.argsort([lane for alike in together for lane in alike])
        state = SimulatorState.concatenated(parts).select(order.tolist())
        return state, state.picture.frames_BHWC.cpu().numpy()

    @torch.no_grad()
    def step(self, state: SimulatorState, executed_BK: npt.NDArray[np.int64]) -> tuple[SimulatorState, Step]:
        """See `LaneSimulator`."""
        state, tensors = self.advance(state, executed_BK)
        return state, Step(*(tensor.cpu().numpy() for tensor in tensors))

    @torch.no_grad()
    def advance(self, state: SimulatorState, executed_BK: npt.NDArray[np.int64]) -> tuple[SimulatorState, StepTensors]:
        """`step` for whoever stays on the device."""
        executed = self._checked(executed_BK, state.lanes).to(state.latents_BND.device)
        base_BND, features_BNE = state.latents_BND, self._take_in(state, executed)
        # Drawn whether used or not, so that no later draw depends on the sampling.
        uniform_BN = state.uniform(base_BND.shape[1]).to(base_BND.device)
        drawing = (self.config.steps, self.config.temperature, uniform_BN)
        examine = partial(self._require_finite, state.memory)
        next_BND = sample(self.world.dynamics, features_BNE, base_BND, *drawing, examine=examine)
        examine(next_BND, "latents")  # before the clamp, which would make an infinity a 1
        next_BND = next_BND.clamp(-1, 1)
        reward_BV, end_BV = self.world.outcome.probabilities(features_BNE, base_BND, next_BND, state.paid_BP)
        examine(torch.cat([reward_BV, end_BV], dim=1), "reward and end")
        state.latents_BND = next_BND
        changed_BN = (next_BND != base_BND).any(-1)
        state.picture = state.picture.repainted(self.world.tokenizer, next_BND, changed_BN, examine)
        state.memory.taken_B += 1
        which_B, terminated_B = self._drawn(state, reward_BV, end_BV)
        state.pay(which_B)
        end_B = (reward_BV * end_BV).sum(-1)
        return state, StepTensors(
            state.picture.frames_BHWC, self._values_V[which_B], terminated_B, reward_BV.double(), end_B.double()
        )

    @torch.no_grad()
    def look(self, state: SimulatorState, frames: Frames, rewards: npt.NDArray[np.float64]) -> None:
        """Put real frames [B, H, W, 3] and rewards [B] in the place of those of the step that was just dreamt."""
        tokenizer, dreamt_BND = self.world.tokenizer, state.latents_BND
        pixels = to_pixels(torch.from_numpy(frames).to(dreamt_BND.device))
        state.latents_BND = tokenizer.encode(pixels).to(dreamt_BND.dtype)
        # A square that stays is not painted again: what was dreamt wrongly there would be seen for as long as it stays.
        changed_BN = (state.latents_BND != dreamt_BND).any(-1)
        state.picture = state.picture.repainted(tokenizer, state.latents_BND, changed_BN)
        state.paid_BP[:, -1] = self.world.outcome.classes(torch.from_numpy(rewards).to(state.paid_BP.device))

    @torch.no_grad()
    def surprise(self, state: SimulatorState) -> Tensor:
        """How unlike real frames those are that the last step gave [B]; see `World.surprise`."""
        surprise_B = self.world.surprise(state.picture)
        self._require_finite(state.memory, surprise_B[:, None], "surprise")
        return surprise_B.double()

    def _start_alike(self, contexts: Sequence[Context], seeds: Sequence[int]) -> SimulatorState:
        """Lanes whose contexts are of one length, which are taken in as a whole."""
        world = self.world
        like = world.dynamics.place
        frames = torch.from_numpy(np.stack([context.frames for context in contexts], axis=1)).to(like.device)
        executed = torch.from_numpy(np.stack([context.executed for context in contexts]).astype(np.int64))
        latents_XND = world.tokenizer.encode(to_pixels(frames.flatten(0, 1))).to(like.dtype)
        latents = latents_XND.view(*frames.shape[:2], *latents_XND.shape[1:]).unbind()
        memory = world.dynamics.memory(len(seeds))
        picture = Picture.of(world.tokenizer, latents[-1], partial(self._require_finite, memory))
        paid_BP = world.outcome.nobody_knows(len(seeds))
        state = SimulatorState.fresh(memory, latents[-1], picture, paid_BP, seeds)
        if taken := [self._noised(state, before_BND) for before_BND in latents[:-1]]:
            taken_BTND = torch.stack(taken, dim=1)
            level_BT = taken_BTND.new_full(taken_BTND.shape[:2], self.config.context_noise)
            world.dynamics.trunk(taken_BTND, level_BT, executed.to(like.device), memory)
        return state

    def _checked(self, executed_BK: npt.NDArray[np.int64], lanes: int) -> Tensor:
        game = self.world.config.game
        if executed_BK.shape != (lanes, game.ticks_per_step):
            raise ValueError(f"executed has shape {executed_BK.shape}; expected {(lanes, game.ticks_per_step)}")
        # Another number would silently be another tick's action.
        if executed_BK.min() < -1 or executed_BK.max() >= game.num_actions:
            raise ValueError(
                f"executed holds {executed_BK.tolist()}; expected 0 to {game.num_actions - 1}, -1: unknown"
            )
        return torch.from_numpy(np.ascontiguousarray(executed_BK, np.int64))

    def _take_in(self, state: SimulatorState, executed_BK: Tensor) -> Tensor:
        """The trunk's features of the next latents; what noise it may see stays in memory and in no picture."""
        dynamics, seen_BND = self.world.dynamics, self._noised(state, state.latents_BND)
        level_B = seen_BND.new_full((len(seen_BND),), self.config.context_noise)
        if self.config.guidance == 1:
            return dynamics.take_in(state.memory, seen_BND, level_B, executed_BK)
        # The pass without an action comes first, so that what stays in memory is the pass with it.
        unmoved = dynamics.take_in(state.memory, seen_BND, level_B, torch.full_like(executed_BK, -1))
        moved = dynamics.take_in(state.memory, seen_BND, level_B, executed_BK)
        return unmoved + self.config.guidance * (moved - unmoved)

    def _noised(self, state: SimulatorState, latents_BND: Tensor) -> Tensor:
        level = self.config.context_noise
        return (1 - level) * latents_BND + level * state.normal() if level else latents_BND

    def _drawn(self, state: SimulatorState, reward_BV: Tensor, end_BV: Tensor) -> tuple[Tensor, Tensor]:
        """Which of the rewards it is [B], and whether the game is over with it."""
        draws_B2 = state.uniform(2).to(reward_BV.device)  # drawn whether used or not: the mode changes no later noise
        if self.config.reward == "mode":
            which_B, line_B = reward_BV.argmax(-1), torch.full_like(draws_B2[:, 1], 0.5)
        else:
            which_B, line_B = (reward_BV.cumsum(-1) <= draws_B2[:, :1]).sum(-1), draws_B2[:, 1]
        which_B = which_B.clamp(max=reward_BV.shape[1] - 1)  # rounding may leave a sum of probabilities below 1
        return which_B, end_BV.gather(1, which_B[:, None])[:, 0] > line_B

    def _require_finite(self, memory: Memory, values: Tensor, what: str, lane_Y: Tensor | None = None) -> None:
        # A sum is finite only if all of it is, unless it overflows, which is as bad; it costs one pass over the values.
        if not torch.isfinite(values.sum()):
            row = int((~values.isfinite()).flatten(1).any(1).int().argmax())
            lane = row if lane_Y is None else int(lane_Y[row])
            raise SimulationDiverged(what, lane, int(memory.taken_B[lane]))
