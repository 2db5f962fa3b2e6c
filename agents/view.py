"""How an agent sees a game: gray, 84x84, the last four frames. One definition for twin and dream, training and play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import gymnasium
import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames, Lanes


@dataclass(frozen=True)
class View:
    """What an agent is shown."""

    size: int = 84  # height and width, pixels
    stack: int = 4  # frames; those before the first of a game are black

    def gray(self, frame: Frames) -> Frames:
        """One frame [H, W, 3] -> [size, size]."""
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if gray.shape != (self.size, self.size):
            gray = cv2.resize(gray, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return np.asarray(gray, np.uint8)


class AgentView(gymnasium.ObservationWrapper[npt.NDArray[np.uint8], Any, npt.NDArray[np.uint8]]):
    """An environment as one gray frame [1, size, size]; stacking is left to SB3's VecFrameStack."""

    def __init__(self, env: gymnasium.Env[Any, Any], view: View) -> None:
        super().__init__(env)
        self._view = view
        self.observation_space = gymnasium.spaces.Box(0, 255, (1, view.size, view.size), np.uint8)

    def observation(self, observation: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The gray frame with a channel axis in front."""
        return self._view.gray(observation)[None]


class FrameStacks:
    """The stacks of many lanes, each its own: what VecFrameStack is in training, for a policy that stands alone."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._stacks_LSHW: Frames = np.zeros((0, view.stack, view.size, view.size), np.uint8)

    def reset(self, lanes: Lanes) -> None:
        """Forget what these lanes have seen."""
        self._make_room(int(lanes.max(initial=-1)) + 1)
        self._stacks_LSHW[lanes] = 0

    def push(self, frames: Frames, lanes: Lanes) -> Frames:
        """Add each lane's newest frame [B, H, W, 3]; returns their stacks [B, stack, size, size]."""
        self._make_room(int(lanes.max(initial=-1)) + 1)
        stacks = np.roll(self._stacks_LSHW[lanes], -1, axis=1)
        for stack, frame in zip(stacks, frames, strict=True):
            stack[-1] = self._view.gray(frame)
        self._stacks_LSHW[lanes] = stacks
        return stacks

    def _make_room(self, lanes: int) -> None:
        missing = lanes - len(self._stacks_LSHW)
        if missing > 0:
            room = np.zeros((missing, *self._stacks_LSHW.shape[1:]), np.uint8)
            self._stacks_LSHW = np.concatenate([self._stacks_LSHW, room])
