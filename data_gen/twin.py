"""Twin: the real game behind exactly the preprocessing that recordings and the dream use.

    env = gym.make("Real/Pong-v0", render_mode="rgb_array")
    frame, info = env.reset(seed=0)
    frame, reward, terminated, truncated, info = env.step(2)

An emulator runs one tick at a time underneath. The twin adds, in this order: sticky actions, several ticks a step,
the maximum of the last two ticks, area resizing, random no-op starts and the time limit. It knows nothing of learning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import cv2
import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import ClosedEnvironmentError, ResetNeeded

from data_gen.actions import checked_action
from data_gen.emulator import Emulator
from data_gen.emulators import make_emulator
from data_gen.games import game
from data_gen.picture import enlarge
from data_gen.policy import Frames
from data_gen.spec import GameSpec
from data_gen.stickiness import stuck

_NOOP = 0
_RENDER_MODES = ("rgb_array", "human")


@dataclass(frozen=True)
class TwinState:
    """A moment of a twin: enough to go on from there, bit for bit."""

    emulator: Any
    generator: Mapping[str, Any] | None  # None: restoring leaves the twin's own generator as it is
    executed: int
    steps: int
    over: bool
    frame: Frames


class Twin(gymnasium.Env[Frames, np.int64]):
    """The real game `Real/<Game>-v0`.

    Args:
        game: a game's name, a GameSpec, or its dictionary form.
        render_mode: None, "rgb_array" (the observation, enlarged with crisp pixels) or "human".
        repeat_action_probability: overrides the game's own stickiness.
        max_noops: overrides the game's own random start.

    Example:
        >>> twin = Twin("Pong")
        >>> frame, info = twin.reset(seed=3)
        >>> frame.shape, frame.dtype
        ((84, 84, 3), dtype('uint8'))
        >>> _, reward, terminated, truncated, info = twin.step(2)
        >>> info["executed"].shape
        (4,)
        >>> twin.close()
    """

    metadata: dict[str, Any] = {"render_modes": list(_RENDER_MODES), "render_fps": 15}  # noqa: RUF012  (Gymnasium's way)

    def __init__(
        self,
        game: str | GameSpec | dict[str, Any],
        render_mode: str | None = None,
        repeat_action_probability: float | None = None,
        max_noops: int | None = None,
    ) -> None:
        self.game = _as_spec(game, repeat_action_probability, max_noops)
        if render_mode not in (None, *_RENDER_MODES):
            raise ValueError(f"render_mode is {render_mode!r}; expected None, 'rgb_array' or 'human'")
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "render_fps": self.game.render_fps}
        self.observation_space = gymnasium.spaces.Box(0, 255, (*self.game.frame_size, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(self.game.num_actions)
        self._emulator: Emulator | None = make_emulator(self.game)
        self._window: Any = None
        self._executed = _NOOP  # the last tick's action: what stickiness repeats
        self._steps = 0
        self._over = True
        self._frame: Frames | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy or a pickle is the same game, not yet reset: a running emulator cannot travel. See `clone_state`."""
        return type(self), (self.game, self.render_mode), {"spec": self.spec}

    # ---- Gymnasium -------------------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frames, dict[str, Any]]:
        """Begin a new game; everything in it follows from `seed` and the actions."""
        emulator = self._open_emulator()
        if options:
            raise ValueError(f"Twin.reset has no option {', '.join(map(repr, options))}; it takes none")
        super().reset(seed=seed)
        emulator.reset(int(self.np_random.integers(2**31)))
        noops = int(self.np_random.integers(1, self.game.max_noops + 1)) if self.game.max_noops else 0
        for _ in range(noops):
            if emulator.tick(_NOOP)[1]:
                raise RuntimeError(f"{self.game.name} ended within {noops} no-op ticks; lower GameSpec.max_noops")
        self._executed, self._steps, self._over = _NOOP, 0, False
        self._frame = self._resized(emulator.screen())
        self._show()
        return self._frame.copy(), {"noops": noops, **emulator.info()}

    def step(self, action: Any) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        """Play `action` for one step. `info["executed"]` holds the action that stickiness let through on each tick."""
        self._require_running()
        return self.advance(self._stuck(checked_action(action, self.game.num_actions)))

    def render(self) -> Frames | None:
        """The current frame, enlarged; None in human mode, where step and reset draw it."""
        if self.render_mode != "rgb_array":
            return None
        if self._frame is None:
            raise ResetNeeded("render before the first reset; call reset() first")
        return enlarge(self._frame)

    def close(self) -> None:
        """Free emulator and window; closing twice is fine."""
        if self._emulator is not None:
            self._emulator.close()
            self._emulator = None
        if self._window is not None:
            self._window.close()
            self._window = None

    def get_action_meanings(self) -> list[str]:
        """The name of each action."""
        return list(self.game.action_meanings)

    def get_keys_to_action(self) -> dict[tuple[str, ...], int]:
        """Held keys -> action, as `gymnasium.utils.play` wants them."""
        return self.game.keys_to_action

    # ---- beyond Gymnasium: exact replay, and going back ------------------------------------------------------------

    def advance(
        self, executed: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        """One step whose action on each tick is given: `step` without stickiness, the way recordings are replayed."""
        self._require_running()
        ticks = np.array([checked_action(action, self.game.num_actions) for action in executed], np.int64)
        if len(ticks) != self.game.ticks_per_step:
            raise ValueError(f"{len(ticks)} executed ticks; {self.game.name} has {self.game.ticks_per_step} a step")
        reward, terminated, picture = self._play(ticks)
        self._executed = int(ticks[-1])
        self._steps += 1
        self._frame = self._resized(picture)
        truncated = not terminated and self._steps == self.game.max_steps
        self._over = terminated or truncated
        self._show()
        return self._frame.copy(), reward, terminated, truncated, {"executed": ticks, **self._open_emulator().info()}

    def replay(self, seed: int, executed: npt.NDArray[np.integer[Any]]) -> tuple[Frames, dict[str, Any]]:
        """Reset with `seed` and play the ticks `executed` [N, ticks_per_step]: the moment that they led to before."""
        frame, info = self.reset(seed=seed)
        for ticks in executed:
            frame, _, _, _, info = self.advance(ticks)
        return frame, info

    def clone_state(self, include_rng: bool = True) -> TwinState:
        """This moment, to be restored later. Without its generator, what follows draws its own stickiness."""
        self._require_running()
        assert self._frame is not None
        generator = deepcopy(self.np_random.bit_generator.state) if include_rng else None
        return TwinState(
            self._open_emulator().clone_state(), generator, self._executed, self._steps, self._over, self._frame.copy()
        )

    def restore_state(self, state: TwinState) -> None:
        """Go back to a moment from `clone_state`."""
        self._open_emulator().restore_state(state.emulator)
        if state.generator is not None:
            self.np_random.bit_generator.state = deepcopy(state.generator)
        self._executed, self._steps, self._over = state.executed, state.steps, state.over
        self._frame = state.frame.copy()

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _stuck(self, action: int) -> npt.NDArray[np.int64]:
        ticks, probability = self.game.ticks_per_step, self.game.repeat_action_probability
        repeats = self.np_random.random(ticks) < probability if probability else np.zeros(ticks, np.bool_)
        return stuck(np.array(action), repeats, np.array(self._executed))

    def _play(self, ticks: npt.NDArray[np.int64]) -> tuple[float, bool, Frames]:
        """Run the ticks, or as many as the game lasts; the picture is that of the last one or two of them."""
        emulator, total, before_last = self._open_emulator(), 0.0, None
        for tick, action in enumerate(ticks.tolist()):
            reward, ended = emulator.tick(action)
            total += reward
            if ended:
                break
            if self.game.max_pool and tick == len(ticks) - 2:
                before_last = emulator.screen().copy()
        picture = emulator.screen()
        return total, ended, picture if before_last is None else np.maximum(picture, before_last)

    def _resized(self, picture: Frames) -> Frames:
        """A fresh frame at the game's size."""
        height, width = self.game.frame_size
        if picture.shape[:2] == (height, width):
            return picture.copy()
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def _show(self) -> None:
        if self.render_mode == "human" and self._frame is not None:
            if self._window is None:
                from data_gen.window import Window

                self._window = Window(self.game.name, self.game.render_fps)
            self._window.show(enlarge(self._frame))

    def _open_emulator(self) -> Emulator:
        if self._emulator is None:
            raise ClosedEnvironmentError("this twin is closed; make a new one")
        return self._emulator

    def _require_running(self) -> None:
        self._open_emulator()
        if self._frame is None:
            raise ResetNeeded("step before the first reset; call reset() first")
        if self._over:
            raise ResetNeeded("the episode is over; call reset() before the next step")


def _as_spec(
    chosen: str | GameSpec | dict[str, Any], repeat_action_probability: float | None, max_noops: int | None
) -> GameSpec:
    if isinstance(chosen, dict):
        chosen = GameSpec.from_dict(chosen)
    spec = chosen if isinstance(chosen, GameSpec) else game(chosen)
    overrides = {"repeat_action_probability": repeat_action_probability, "max_noops": max_noops}
    return spec.replace(**{name: value for name, value in overrides.items() if value is not None})
