"""What every emulator must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from data_gen.policy import Frames


class Emulator(ABC):
    """A real game, one tick at a time. No preprocessing and no randomness of its own beyond its seed."""

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Begin a new game; equal seeds give equal games."""

    @abstractmethod
    def tick(self, action: int) -> tuple[float, bool]:
        """Run one frame; returns its raw reward and whether the game ended."""

    @abstractmethod
    def screen(self) -> Frames:
        """The current picture [H, W, 3] at native size; after the end, the last real one. Owned by the emulator."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """What the emulator tells besides the picture: lives, game variables."""

    @abstractmethod
    def close(self) -> None:
        """Free the emulator; closing twice is fine."""

    def clone_state(self) -> Any:
        """The whole state of the emulator, to be restored later."""
        raise NotImplementedError(f"{type(self).__name__} cannot clone its state; use Twin.replay instead")

    def restore_state(self, state: Any) -> None:
        """Go back to a state from `clone_state`."""
        raise NotImplementedError(f"{type(self).__name__} cannot restore a state; use Twin.replay instead")
