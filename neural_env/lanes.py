"""The core of every face: lanes that dream side by side. It knows nothing of Gymnasium.

    lanes = DreamLanes(shared_world, options, generators)        # one NumPy generator a lane
    lanes.begin([0, 1], [Beginning(start="episode"), Beginning(start=7)])
    step = lanes.step(np.array([2, 3]), lanes.running)

All that happens in a lane follows from its own generator, its beginning and its actions: not from how many lanes there
are, nor from what happens in them. What to do with a lane whose episode is over is the faces' business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_gen.policy import Actions, Frames
from data_gen.stickiness import stuck
from neural_env.beginning import Beginning
from neural_env.dream_options import NO_LIMIT, DreamOptions, InvalidOption
from neural_env.dream_state import DreamState, InvalidState
from neural_env.fitting_state import require_generators, require_lanes, require_parts
from neural_env.running_lanes import advance_running
from neural_env.shared_world import SharedWorld
from world_model.lane_state import SimulatorState
from world_model.picture import Picture
from world_model.simulator import Context, Simulator

_NOOP = 0
_ODD, _ODD_STEPS = 1.0, 8  # a dream that surprises by more than that for so many steps in a row has left the data
OWN_START = -1  # the start index of an episode that began at none of the world's starts

LaneIndices = Sequence[int] | npt.NDArray[np.integer[Any]]


class LaneStep(NamedTuple):
    """What one step gave. Rows of lanes that did not run hold their last frame and zeros."""

    frames_BHWC: Tensor  # uint8, on the world's device
    rewards: npt.NDArray[np.float64]  # [B], raw game points
    terminated: npt.NDArray[np.bool_]  # [B]
    truncated: npt.NDArray[np.bool_]  # [B], by the time limit or by drift
    start_index: npt.NDArray[np.int64]  # [B], of the world's starts
    executed: npt.NDArray[np.int64]  # [B, ticks per step]
    reward_probabilities: npt.NDArray[np.float64]  # [B, values]
    termination_probability: npt.NDArray[np.float64]  # [B]
    surprise: npt.NDArray[np.float64]  # [B], see `World.surprise`; NaN where nobody asked for it

    @property
    def frames(self) -> Frames:
        """The frames where NumPy can see them."""
        frames: Frames = self.frames_BHWC.cpu().numpy()
        return frames


class _Begun(NamedTuple):
    context: Context
    executed: int  # the last tick before the episode
    start_index: int


class DreamLanes:
    """B lanes of one world.

    The generators belong to whoever made the lanes; they may be replaced by others at any time.
    """

    def __init__(self, shared: SharedWorld, options: DreamOptions, generators: Sequence[np.random.Generator]) -> None:
        count = len(generators)
        self.shared, self.options = shared, options
        self.game = shared.world.config.game
        self.generators = list(generators)
        self.begun = np.zeros(count, np.bool_)
        self.over = np.zeros(count, np.bool_)
        self.steps = np.zeros(count, np.int64)
        self.executed = np.full(count, _NOOP)  # the last tick's action: what stickiness repeats
        self.start_index = np.full(count, OWN_START)
        self.odd_steps = np.zeros(count, np.int64)  # in a row
        self._state = _blank_state(shared, count)
        device = self._state.latents_BND.device
        self.frames_BHWC = torch.zeros(count, *self.game.frame_size, 3, dtype=torch.uint8, device=device)
        self._simulator: Simulator | None = None
        self.require(Beginning(start=options.start))

    @property
    def running(self) -> npt.NDArray[np.bool_]:
        """Which lanes have an episode that goes on."""
        return self.begun & ~self.over

    @property
    def frames(self) -> Frames:
        """The current frames where NumPy can see them; not to be written to."""
        frames: Frames = self.frames_BHWC.cpu().numpy()
        return frames

    @property
    def simulator(self) -> Simulator:
        """What makes the frames; may be replaced by one of the same world that samples in another way."""
        if self._simulator is None:
            self._simulator = Simulator(self.shared.world, self.options.sampling(self.shared.sampling))
        return self._simulator

    @simulator.setter
    def simulator(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_simulator": None}  # it refers to the weights, which are shared and not copied

    # ---- beginnings ------------------------------------------------------------------------------------------------

    def require(self, beginning: Beginning) -> None:
        """InvalidOption or InvalidState if no episode can begin so."""
        if beginning.start is not None and not len(self._pool(beginning.start)):
            count = len(self.shared.starts)
            raise InvalidOption(
                f"start is {beginning.start!r}; this world has {count} starts (0 to {count - 1}), of which "
                f"{len(self.shared.beginnings)} are beginnings of a game"
            )
        if beginning.state is not None:
            self.require_fitting(beginning.state, 1)
            if beginning.state.over.any():
                raise InvalidState("the state is of an episode that is over; nothing can begin there")

    def begin(self, lanes: LaneIndices, beginnings: Sequence[Beginning]) -> None:
        """New episodes, whose beginnings were found right by `require`."""
        self.begun[lanes] = False
        pairs = list(zip(lanes, beginnings, strict=True))
        starts = [(lane, self._drawn(lane, beginning)) for lane, beginning in pairs if beginning.state is None]
        if starts:
            self._begin_after([lane for lane, _ in starts], [start for _, start in starts])
        for lane, beginning in pairs:
            if beginning.state is not None:
                self._begin_at(lane, beginning.state)

    def _pool(self, start: str | int) -> Sequence[int]:
        if isinstance(start, str):
            return self.shared.beginnings if start == "episode" else range(len(self.shared.starts))
        return [int(start)] if start < len(self.shared.starts) else []

    def _drawn(self, lane: int, beginning: Beginning) -> _Begun:
        if beginning.start is None:
            assert beginning.frames is not None
            assert beginning.executed is not None
            context = Context(beginning.frames, beginning.executed)
            return _Begun(context, _last_tick(context.executed), OWN_START)
        pool = self._pool(beginning.start)
        index = pool[int(self.generators[lane].integers(len(pool)))]
        start = self.shared.starts[index]
        return _Begun(start.context, _last_tick(start.prefix), index)

    def _begin_after(self, lanes: Sequence[int], starts: Sequence[_Begun]) -> None:
        """Let lanes dream on after real frames."""
        state, frames = self.simulator.start([start.context for start in starts], [self._seed(lane) for lane in lanes])
        self._state.put(lanes, state)
        self._show(lanes, frames)
        self.executed[lanes] = [start.executed for start in starts]
        self.start_index[lanes] = [start.start_index for start in starts]
        self.steps[lanes], self.odd_steps[lanes], self.over[lanes], self.begun[lanes] = 0, 0, False, True

    def _begin_at(self, lane: int, state: DreamState) -> None:
        """A moment of a former episode as the beginning of a new one, with the lane's own randomness ahead."""
        self._put([lane], state, [torch.Generator().manual_seed(self._seed(lane))])
        self.steps[lane], self.odd_steps[lane] = 0, 0

    def _seed(self, lane: int) -> int:
        return int(self.generators[lane].integers(2**63))

    # ---- steps -----------------------------------------------------------------------------------------------------

    def step(self, actions: Actions, running: npt.NDArray[np.bool_]) -> LaneStep:
        """Play actions [B] for one step in the lanes that run, with one pass of the network for all of them.

        If it raises, no lane can go on: each needs a new beginning or a state to go back to.
        """
        executed = self._stuck(actions, running)
        begun, self.begun = self.begun, np.zeros_like(self.begun)
        self._state, step = advance_running(self.simulator, self._state, executed, running)
        surprise = self._surprise(running)
        self.begun = begun
        runs_B = torch.from_numpy(running).to(step.frames_BHWC.device)
        self.frames_BHWC = torch.where(runs_B[:, None, None, None], step.frames_BHWC, self.frames_BHWC)
        self.executed[running] = executed[running, -1]
        self.steps += running
        terminated = step.terminated_B.cpu().numpy() & running
        drifted = (self.odd_steps >= _ODD_STEPS) & (self.options.on_drift == "truncate")
        truncated = running & ~terminated & (drifted | (self.steps >= self._limit))
        self.over |= terminated | truncated
        return LaneStep(
            self.frames_BHWC,
            np.where(running, step.rewards_B.cpu().numpy(), 0.0),
            terminated,
            truncated,
            self.start_index.copy(),
            executed * running[:, None],
            step.reward_probabilities_BV.cpu().numpy() * running[:, None],
            step.termination_probability_B.cpu().numpy() * running,
            surprise,
        )

    def _surprise(self, running: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        surprise: npt.NDArray[np.float64] = self.simulator.surprise(self._state).cpu().numpy() * running
        self.odd_steps = np.where(running, (self.odd_steps + 1) * (surprise > _ODD), self.odd_steps)
        return surprise

    @property
    def _limit(self) -> float:
        limit = self.game.max_steps if self.options.max_episode_steps is None else self.options.max_episode_steps
        return math.inf if limit in (None, NO_LIMIT) else limit

    def _stuck(self, actions: Actions, running: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        ticks, chosen = self.game.ticks_per_step, self.options.repeat_action_probability
        probability = self.game.repeat_action_probability if chosen is None else chosen
        repeats = np.zeros((len(running), ticks), np.bool_)
        if probability:
            for lane in np.flatnonzero(running):
                repeats[lane] = self.generators[lane].random(ticks) < probability
        return stuck(np.where(running, actions, _NOOP), repeats, self.executed)

    # ---- moments ---------------------------------------------------------------------------------------------------

    def clone(self, lanes: LaneIndices, include_rng: bool) -> DreamState:
        """The moment that these lanes are in."""
        chosen = list(lanes)
        state = DreamState(
            self.shared.digest,
            self._state.select(chosen),
            tuple(self.generators[lane].bit_generator.state for lane in chosen),
            self.executed[chosen],
            self.steps[chosen],
            self.over[chosen],
            self.odd_steps[chosen],
            self.start_index[chosen],
            self.frames[chosen],
        )
        return state if include_rng else state.without_random()

    def restore(self, lanes: LaneIndices, state: DreamState) -> None:
        """Go back to a moment; one of a single lane does for any number of them."""
        self.require_fitting(state, len(lanes))
        state = state if state.lanes == len(lanes) else state.select([0] * len(lanes))
        if state.random is None:
            self._put(lanes, state, [self._state.generators[lane] for lane in lanes])
            return
        for lane, numbers in zip(lanes, state.random, strict=True):
            self.generators[lane].bit_generator.state = numbers
        self._put(lanes, state, state.simulator.generators)

    def require_fitting(self, state: DreamState, count: int) -> None:
        """InvalidState unless so many lanes can be brought to that state."""
        require_lanes(state, count, self.shared)
        require_parts(state, self.clone([0] * state.lanes, include_rng=True), self.shared)
        require_generators(state, self.generators[0])

    def _put(self, lanes: LaneIndices, state: DreamState, noise: Sequence[torch.Generator]) -> None:
        own = self._state.tensors()
        tensors = {
            name: tensor.to(own[name].device, own[name].dtype) for name, tensor in state.simulator.tensors().items()
        }
        tensors["generators"] = torch.stack([generator.get_state() for generator in noise])
        self._state.put(list(lanes), SimulatorState.from_tensors(tensors))
        self._show(lanes, state.frames)
        self.executed[lanes], self.steps[lanes] = state.executed, state.steps
        self.over[lanes], self.odd_steps[lanes] = state.over, state.odd_steps
        self.start_index[lanes], self.begun[lanes] = state.start_index, True

    def _show(self, lanes: LaneIndices, frames: Frames) -> None:
        # Never in place: whoever has been handed the frames of a step may keep them.
        chosen = torch.tensor(list(lanes), device=self.frames_BHWC.device)
        self.frames_BHWC = self.frames_BHWC.index_copy(0, chosen, torch.from_numpy(frames).to(self.frames_BHWC.device))


def _blank_state(shared: SharedWorld, count: int) -> SimulatorState:
    """Lanes that have seen nothing."""
    world = shared.world
    latents = world.dynamics.place.new_zeros(count, world.dynamics.tokens, world.tokenizer.width)
    picture = Picture.of(world.tokenizer, latents)
    paid_BP = world.outcome.nobody_knows(count)
    return SimulatorState.fresh(world.dynamics.memory(count), latents, picture, paid_BP, [0] * count)


def _last_tick(executed: npt.NDArray[np.int64]) -> int:
    return int(executed[-1, -1]) if len(executed) else _NOOP
