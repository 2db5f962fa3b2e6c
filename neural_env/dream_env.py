"""The dream of one game as a Gymnasium environment.

    env = gym.make("Dream/Pong-v0", render_mode="rgb_array")
    frame, info = env.reset(seed=0)
    frame, reward, terminated, truncated, info = env.step(2)

The world is loaded at the first reset; until then no torch is imported.
"""

from __future__ import annotations

from copy import deepcopy
from os import PathLike
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode

from data_gen.actions import checked_action
from data_gen.picture import enlarge
from data_gen.policy import Frames
from neural_env.beginning import Beginning
from neural_env.dream import Dream, Told
from neural_env.dream_options import DreamOptions, InvalidOption

if TYPE_CHECKING:
    from neural_env.dream_state import DreamState
    from neural_env.dream_vector import DreamVectorEnv
    from neural_env.lanes import DreamLanes, LaneStep

_RENDER_MODES = ("rgb_array", "human")


class DreamEnv(Told, gymnasium.Env[Frames, np.int64]):
    """A learned game: `Dream/<Game>-v0`, or any world as `Dream/World-v0`.

    Observations and actions are the twin's. Rewards are learned, in raw game points; `terminated` is learned too, and
    `truncated` is the time limit. `info` holds `executed` (the action of each tick, after stickiness), `start_index`
    (which of the world's starts the episode began at; -1: none of them), `reward_probabilities` (of the values in
    `reward_values`), `termination_probability`, and `surprise`: how unlike real frames the dream has become (above 1,
    one real frame in a thousand is as much).

    Args:
        world: a world's folder, a game whose world ships, or `hf:org/name@revision`; None: what ships for `game`.
        render_mode: None, "rgb_array" (the observation, enlarged with crisp pixels) or "human".
        game: the game that the world must be of.
        device: "cpu", "cuda" or "cuda:<n>".
        dtype: "float32", "float64", or "bfloat16", which is faster where the machine has instructions for it.
        steps: evaluations of the head for a frame; 1: the mean of what may follow, 2 to 5: futures are drawn.
        temperature: how freely futures are drawn; 0: always the likeliest.
        guidance: above 1, follows the action more than the data did.
        context_noise: noise level at which frames are taken into memory.
        reward: "sample" draws rewards and ends by their probabilities, "mode" takes the likeliest.
        start: where episodes begin: "episode" (beginnings of games), "anywhere", or the index of a start.
        repeat_action_probability: overrides the game's own stickiness.
        max_episode_steps: overrides the game's own time limit; -1: none. `gym.make` keeps an argument of this name for
            itself and wraps the environment, which can only shorten an episode; `gym.make_vec` passes it on.
        on_drift: "report" says how surprising each frame is; "truncate" also ends an episode after 8 steps in a row
            whose surprise is above 1.
        deterministic: "bitwise": what a lane dreams does not depend on how many there are, to the last bit; "fast": it
            may, by rounding. None: bitwise on a CPU, fast elsewhere. On a CPU, both are computed alike.

    What is None is as the world was shipped, or as the game is.

    Example:
        >>> env = DreamEnv("worlds/pong", temprature=1.0)
        Traceback (most recent call last):
            ...
        neural_env.dream_options.InvalidOption: a dream has no option 'temprature'; did you mean 'temperature'?
    """

    metadata: dict[str, Any] = {"render_modes": list(_RENDER_MODES), "render_fps": 15}  # noqa: RUF012  (Gymnasium's way)

    def __init__(
        self, world: str | PathLike[str] | None = None, *, render_mode: str | None = None, **options: Any
    ) -> None:
        self.dream = Dream(DreamOptions.of({"world": world, **options}, known=["render_mode"]))
        if render_mode not in (None, *_RENDER_MODES):
            raise InvalidOption(f"render_mode is {render_mode!r}; expected None, 'rgb_array' or 'human'")
        self.render_mode = render_mode
        self.game = self.dream.game
        self.metadata = {**type(self).metadata, "render_fps": self.game.render_fps}
        self.observation_space = self.dream.observation_space
        self.action_space = self.dream.action_space
        self._lanes: DreamLanes | None = None
        self._window: Any = None
        self._closed = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None}

    # ---- Gymnasium -------------------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frames, dict[str, Any]]:
        """Begin a new episode; everything in it follows from `seed` and the actions.

        Options, one of: `start` (as the keyword argument), `frames` with `executed` (real frames of your own, and the
        ticks that led from each to the next), `state` (a moment from `clone_state`, as the beginning of an episode).
        """
        beginning = Beginning.of(options, self.game, self.dream.options.start)
        self._open_lanes().require(beginning)
        super().reset(seed=seed)
        lanes = self._open_lanes()
        lanes.begin([0], [beginning])
        self._show()
        return lanes.frames[0].copy(), {"start_index": int(lanes.start_index[0])}

    def step(self, action: Any) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        """Dream one step of `action`."""
        lanes = self._running_lanes()
        actions = np.array([checked_action(action, self.game.num_actions)])
        step = lanes.step(actions, lanes.running)
        self._show()
        ends = bool(step.terminated[0]), bool(step.truncated[0])
        return step.frames[0].copy(), float(step.rewards[0]), *ends, _info(step)

    def render(self) -> Frames | None:
        """The current frame, enlarged; None in human mode, where step and reset draw it."""
        if self.render_mode != "rgb_array":
            return None
        lanes = self._open_lanes()
        if not lanes.begun[0]:
            raise ResetNeeded("render before the first reset; call reset() first")
        return enlarge(lanes.frames[0])

    def close(self) -> None:
        """Let go of window and world; closing twice is fine."""
        self._closed, self._lanes = True, None
        if self._window is not None:
            self._window.close()
            self._window = None

    # ---- beyond Gymnasium: going back ------------------------------------------------

    def clone_state(self, include_rng: bool = True) -> DreamState:
        """This moment, to be restored later. Without its randomness, what follows is drawn anew."""
        return self._running_lanes().clone([0], include_rng)

    def restore_state(self, state: DreamState) -> None:
        """Go back to a moment from `clone_state`, of this environment or of another one of the same world."""
        self._open_lanes().restore([0], state)

    def branch(
        self, count: int, same_random: bool = True, autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP
    ) -> DreamVectorEnv:
        """`count` lanes that go on from this moment side by side; here, nothing changes.

        With the same randomness, lanes differ by their actions alone; with `same_random=False` each draws its own,
        which follows from this moment, too: branching twice gives the same.
        """
        from neural_env.dream_vector import DreamVectorEnv

        state = self.clone_state().select([0] * count)
        if not same_random:
            state = state.reseeded([int(seed) for seed in deepcopy(self.np_random).integers(2**63, size=count)])
        branches = DreamVectorEnv.of(self.dream, count, autoreset_mode)
        branches.restore_state(state)
        return branches

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        if self.render_mode == "human" and self._lanes is not None:
            if self._window is None:
                from data_gen.window import Window

                self._window = Window(f"{self.game.name}, dreamed", self.game.render_fps)
            self._window.show(enlarge(self._lanes.frames[0]))

    def _open_lanes(self) -> DreamLanes:
        if self._closed:
            raise ClosedEnvironmentError("this dream is closed; make a new one")
        if self._lanes is None:
            self._lanes = self.dream.lanes([self.np_random])
        self._lanes.generators[0] = self.np_random  # a reset and the user may have put another in its place
        return self._lanes

    def _running_lanes(self) -> DreamLanes:
        lanes = self._open_lanes()
        if not lanes.begun[0]:
            raise ResetNeeded("step before the first reset, or after one that failed; call reset() first")
        if lanes.over[0]:
            raise ResetNeeded("the episode is over; call reset() before the next step")
        return lanes


def _info(step: LaneStep) -> dict[str, Any]:
    return {
        "executed": step.executed[0].copy(),
        "start_index": int(step.start_index[0]),
        "reward_probabilities": step.reward_probabilities[0].copy(),
        "termination_probability": float(step.termination_probability[0]),
        "surprise": float(step.surprise[0]),
    }
