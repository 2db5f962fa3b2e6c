"""A toy game whose every frame says which tick it shows and which action led there, exactly and readably.

It goes through every stage beside the real games: where frames, actions and rewards are shifted by one, it shows.
Rules: catch the ball, which falls in one of three columns and changes place every 8 ticks, by naming its column.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from data_gen.spec import GameSpec

SIDE, COLUMNS, BITS = 36, 3, 12
_BALL_ROWS, _ACTION_ROWS = slice(12, 24), slice(24, 36)
COUNTING = GameSpec(
    name="Counting",
    emulator="gym",
    emulator_id="toy_game:Toy/Counting-v0",
    action_meanings=("LEFT", "MIDDLE", "RIGHT"),
    frame_size=(SIDE, SIDE),
    ticks_per_step=2,
    tick_rate=20,
    keys={"a": 0, "": 1, "d": 2},
)


class CountingGame(gymnasium.Env[npt.NDArray[np.uint8], np.int64]):
    """Counts its ticks; reward 1 for naming the ball's column; ends after 40 to 80 ticks, as the seed says."""

    observation_space = gymnasium.spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(COLUMNS)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.counter, self.last_action, self.length = 0, -1, int(self.np_random.integers(40, 81))
        self.ball = int(self.np_random.integers(COLUMNS))
        return self._frame(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.ball)
        self.counter, self.last_action = self.counter + 1, int(action)
        if self.counter % 8 == 0:
            self.ball = int(self.np_random.integers(COLUMNS))
        return self._frame(), reward, self.counter == self.length, False, {}

    def _frame(self) -> npt.NDArray[np.uint8]:
        frame, width = np.zeros((SIDE, SIDE, 3), np.uint8), SIDE // COLUMNS
        bits = np.array([self.counter >> bit & 1 for bit in range(BITS)], np.uint8)
        frame[:12] = 255 * np.repeat(bits, SIDE // BITS)[None, :, None]
        frame[_BALL_ROWS, self.ball * width : (self.ball + 1) * width, 0] = 255
        if self.last_action >= 0:
            frame[_ACTION_ROWS, self.last_action * width : (self.last_action + 1) * width, 1] = 255
        return frame


def counter_of(frame: npt.NDArray[np.uint8]) -> int:
    """The tick that `frame` shows."""
    return sum(int(frame[6, bit * SIDE // BITS + 1, 0] > 127) << bit for bit in range(BITS))


def action_of(frame: npt.NDArray[np.uint8]) -> int:
    """The action of the last tick before `frame`; -1 where there was none."""
    lit = frame[30, SIDE // COLUMNS // 2 :: SIDE // COLUMNS, 1] > 127
    return int(lit.argmax()) if lit.any() else -1


if "Toy/Counting-v0" not in gymnasium.registry:  # a test runner may import this file under two names
    gymnasium.register("Toy/Counting-v0", entry_point="toy_game:CountingGame")
