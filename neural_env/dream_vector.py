"""The same dream in many lanes, as Gymnasium's vector environment: one pass of the network for all of them.

envs = gym.make_vec("Dream/Pong-v0", num_envs=64)
frames, infos = envs.reset(seed=0)                  # lane i is the single environment with seed 0 + i
frames, rewards, terminations, truncations, infos = envs.step(actions)
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from data_gen.picture import enlarge
from data_gen.policy import Actions, Frames
from neural_env.beginning import OPTIONS, Beginning
from neural_env.dream import Dream, Told
from neural_env.dream_options import DreamOptions, InvalidOption, refuse_unknown
from neural_env.vector_arguments import Seeded, checked_actions, checked_mask, seeded_generators
from neural_env.vector_infos import Mask, final_infos, masked, step_infos

if TYPE_CHECKING:
    from torch import Tensor

    from neural_env.dream_state import DreamState
    from neural_env.lanes import DreamLanes, LaneStep

_MASK = "reset_mask"

Numbers = npt.NDArray[np.float64]


class DreamVectorEnv(Told, VectorEnv[Frames, Actions, npt.NDArray[Any]]):
    """`gym.make_vec("Dream/<Game>-v0", num_envs=N)`: N lanes that never touch each other.

    Args:
        num_envs: how many lanes.
        world: as in `DreamEnv`, and so are all further options.
        autoreset_mode: what happens to a lane whose episode is over, as `gymnasium.vector.AutoresetMode` or its value:
            "NextStep" (its next action is ignored and gives the new episode's first frame), "SameStep" (the new
            episode's first frame comes at once, the last one in `infos["final_obs"]`) or "Disabled" (it waits for
            `reset(options={"reset_mask": mask})`).
        render_mode: None or "rgb_array" (a tuple of enlarged frames).
        options: see `DreamEnv`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (Gymnasium's way)
        "render_modes": ["rgb_array"],
        "render_fps": 15,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        world: str | PathLike[str] | None = None,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        known = ["num_envs", "autoreset_mode", "render_mode"]
        self._prepare(Dream(DreamOptions.of({"world": world, **options}, known)), num_envs, autoreset_mode, render_mode)

    @classmethod
    def of(cls, dream: Dream, num_envs: int, autoreset_mode: AutoresetMode | str) -> DreamVectorEnv:
        """Lanes of a dream that is there already."""
        envs = cls.__new__(cls)
        envs._prepare(dream, num_envs, autoreset_mode, None)
        return envs

    def _prepare(self, dream: Dream, num_envs: int, autoreset_mode: Any, render_mode: str | None) -> None:
        if not isinstance(num_envs, (int, np.integer)) or isinstance(num_envs, bool) or num_envs < 1:
            raise InvalidOption(f"num_envs is {num_envs!r}; expected a whole number from 1 on")
        if render_mode not in (None, "rgb_array"):
            raise InvalidOption(
                f"render_mode is {render_mode!r}; expected None or 'rgb_array': many lanes have no window"
            )
        self.dream, self.game = dream, dream.game
        self.num_envs = int(num_envs)
        self.autoreset_mode = _mode(autoreset_mode)
        self.render_mode = render_mode
        changes = {"render_fps": self.game.render_fps, "autoreset_mode": self.autoreset_mode}
        self.metadata = {**type(self).metadata, **changes}
        self.single_observation_space = dream.observation_space
        self.single_action_space = dream.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._all = np.ones(self.num_envs, np.bool_)
        self._lanes: DreamLanes | None = None
        self._seeds: list[int] = []  # of the lanes' generators

    # ---- Gymnasium -------------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, dict[str, Any]]:
        """Begin new episodes in all lanes, or in those of `options["reset_mask"]`; the others stay as they are.

        Lane i gets the seed `seed + i`. The options of `DreamEnv.reset` hold for every lane; `start` may also be one
        index a lane, and `state` may have one lane or all.
        """
        lanes = self._open_lanes()
        options = dict(options or {})
        refuse_unknown("reset", options, (_MASK, *OPTIONS))
        chosen = checked_mask(options.pop(_MASK, self._all), self.num_envs)
        if (never := ~(lanes.begun | chosen)).any():
            raise ResetNeeded(f"lanes {_listed(never)} have no episode yet; reset all of them first")
        generators = seeded_generators(seed, self.num_envs)
        return self.begin(np.flatnonzero(chosen).tolist(), generators, self._beginnings(options))

    def step(self, actions: Any) -> tuple[Frames, Numbers, Mask, Mask, dict[str, Any]]:
        """Dream one step in every lane."""
        lanes = self._begun_lanes()
        running = lanes.running
        step, begins = self.advance(actions)
        ends = running & begins
        infos = step_infos(step, running & ~ends) | final_infos(step, ends)
        if begins.any():
            infos |= masked({"start_index": lanes.start_index}, running | begins)
        return self.frames, step.rewards, step.terminated, step.truncated, infos

    def advance(self, actions: Any) -> tuple[LaneStep, Mask]:
        """`step` for whoever stays on the device: what the lanes gave, and which of them have begun anew since.

        The current frames are in `frames_BHWC`.
        """
        lanes = self._begun_lanes()
        waiting = lanes.over.copy()
        if waiting.any() and self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            raise ResetNeeded(f"the episodes of lanes {_listed(waiting)} are over; reset them with {_MASK}")
        step = lanes.step(checked_actions(actions, ~waiting, self.game.num_actions), ~waiting)
        begins = waiting | (lanes.over & (self.autoreset_mode is AutoresetMode.SAME_STEP))
        if begins.any():
            usual = Beginning(start=self.dream.options.start)
            lanes.begin(np.flatnonzero(begins).tolist(), [usual] * int(begins.sum()))
        return step, begins

    def render(self) -> tuple[Frames, ...] | None:
        """The current frames, enlarged."""
        if self.render_mode is None:
            return None
        return tuple(enlarge(frame) for frame in self._begun_lanes().frames)

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of the world."""
        self._lanes = None

    @property  # type: ignore[misc]  # as SyncVectorEnv has it
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Each lane's generator."""
        return tuple(self._open_lanes().generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """What each lane's generator was seeded with."""
        self._open_lanes()
        return tuple(self._seeds)

    # ---- beyond Gymnasium --------------------------------------------------------------------------------------------

    def clone_state(self, lanes: Sequence[int] | None = None, include_rng: bool = True) -> DreamState:
        """The moment that these lanes are in; all of them if none are named."""
        return self._begun_lanes().clone(self._named(lanes), include_rng)

    def restore_state(self, state: DreamState, lanes: Sequence[int] | None = None) -> None:
        """Bring lanes to a moment from `clone_state`: lane for lane, or all of them to that of a single lane."""
        self._open_lanes().restore(self._named(lanes), state)

    def begin(
        self, chosen: Sequence[int], generators: Sequence[Seeded | None], beginnings: Sequence[Beginning]
    ) -> tuple[Frames, dict[str, Any]]:
        """`reset` of some lanes; generators (None: the lane's own) and beginnings are given for all lanes."""
        lanes = self._open_lanes()
        for lane in chosen:
            lanes.require(beginnings[lane])
        for lane in chosen:
            if (seeded := generators[lane]) is not None:
                lanes.generators[lane], self._seeds[lane] = seeded
        lanes.begin(chosen, [beginnings[lane] for lane in chosen])
        told = masked({"start_index": lanes.start_index}, np.isin(np.arange(self.num_envs), chosen))
        return lanes.frames.copy(), told

    @property
    def frames(self) -> Frames:
        """The current frame of every lane; yours to keep."""
        return self._begun_lanes().frames.copy()

    @property
    def frames_BHWC(self) -> Tensor:
        """The same on the world's device; not to be written to."""
        return self._begun_lanes().frames_BHWC

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _open_lanes(self) -> DreamLanes:
        if self.closed:
            raise ClosedEnvironmentError("these dreams are closed; make new ones")
        if self._lanes is None:
            generators = [seeding.np_random() for _ in range(self.num_envs)]
            self._seeds = [seed for _, seed in generators]
            self._lanes = self.dream.lanes([generator for generator, _ in generators])
        return self._lanes

    def _begun_lanes(self) -> DreamLanes:
        lanes = self._open_lanes()
        if not lanes.begun.all():
            raise ResetNeeded("step before the first reset, or after one that failed; call reset() first")
        return lanes

    def _named(self, lanes: Sequence[int] | None) -> Sequence[int]:
        lanes = range(self.num_envs) if lanes is None else list(lanes)
        if not len(lanes) or not all(0 <= lane < self.num_envs for lane in lanes):
            raise InvalidOption(f"lanes are {list(lanes)}; expected some of 0 to {self.num_envs - 1}")
        return lanes

    def _beginnings(self, options: dict[str, Any]) -> list[Beginning]:
        """One for each lane."""
        usual = self.dream.options.start
        start, state = options.get("start"), options.get("state")
        if isinstance(start, (list, tuple, np.ndarray)):
            if len(start) != self.num_envs:
                raise InvalidOption(f"start has {len(start)} entries; expected {self.num_envs}, one for each lane")
            return [Beginning.of({**options, "start": each}, self.game, usual) for each in start]
        beginning = Beginning.of(options, self.game, usual)
        if state is not None and getattr(state, "lanes", 1) == self.num_envs:
            return [Beginning(state=state.select([lane])) for lane in range(self.num_envs)]
        return [beginning] * self.num_envs


def dream_again(env: str, num_envs: int, options: dict[str, Any]) -> DreamVectorEnv:
    """Lanes of an id that begin anew in the very step in which their episode is over, as trainers want them."""
    entry = gymnasium.spec(env).vector_entry_point
    if entry != f"{DreamVectorEnv.__module__}:{DreamVectorEnv.__name__}":
        raise InvalidOption(f"{env} is no dream; for other ids there is gymnasium.make_vec, or SB3's make_vec_env")
    envs = gymnasium.make_vec(env, num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **options)
    assert isinstance(envs, DreamVectorEnv)
    return envs


def _mode(mode: Any) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        values = ", ".join(repr(each.value) for each in AutoresetMode)
        raise InvalidOption(f"autoreset_mode is {mode!r}; expected AutoresetMode or one of {values}") from None


def _listed(mask: Mask) -> list[int]:
    return [int(lane) for lane in np.flatnonzero(mask)]
