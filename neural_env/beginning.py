"""Where an episode begins, as `reset(options=...)` says it. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_gen.policy import Frames
from data_gen.spec import GameSpec
from neural_env.dream_options import InvalidOption, expected_start, is_start, refuse_unknown

if TYPE_CHECKING:
    from neural_env.dream_state import DreamState

OPTIONS = ("start", "frames", "executed", "state")


@dataclass(frozen=True)
class Beginning:
    """One of three: a start of the world, real frames of the user's own, or a state from `clone_state`."""

    start: str | int | None = None
    frames: Frames | None = None  # uint8 [T, H, W, 3], oldest first
    executed: npt.NDArray[np.int64] | None = None  # [T - 1, ticks per step], what led from each to the next
    state: DreamState | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any] | None, game: GameSpec, usual: str | int) -> Beginning:
        """What the options of a reset ask for; `usual` is the start where they ask for nothing.

        Example:
            >>> from data_gen.games import game
            >>> Beginning.of({"start": 3}, game("Pong"), "episode").start
            3
        """
        options = dict(options or {})
        refuse_unknown("reset", options, OPTIONS)
        ways = [name for name in ("start", "frames", "state") if options.get(name) is not None]
        if len(ways) > 1:
            raise InvalidOption(f"an episode begins in one way; got the options {' and '.join(ways)}")
        if "executed" in options and "frames" not in ways:
            raise InvalidOption("the option executed says what led from one of frames to the next; there are no frames")
        if "frames" in ways:
            frames = _frames(options["frames"], game)
            return cls(frames=frames, executed=_executed(options.get("executed"), len(frames) - 1, game))
        if "state" in ways:
            return cls(state=options["state"])
        return cls(start=_start(options["start"] if ways else usual))


def _start(start: Any) -> str | int:
    if not is_start(start):
        raise InvalidOption(f"start is {start!r}; expected {expected_start()}")
    return start  # type: ignore[no-any-return]  # is_start has looked


def _frames(frames: Any, game: GameSpec) -> Frames:
    expected = (*game.frame_size, 3)
    if (
        not isinstance(frames, np.ndarray)
        or frames.dtype != np.uint8
        or frames.shape[1:] != expected
        or not len(frames)
    ):
        raise InvalidOption(f"frames is {_shape(frames)}; expected uint8 [1 or more, {', '.join(map(str, expected))}]")
    return frames.copy()


def _executed(executed: Any, steps: int, game: GameSpec) -> npt.NDArray[np.int64]:
    if executed is None and steps == 0:
        return np.zeros((0, game.ticks_per_step), np.int64)
    is_whole = isinstance(executed, np.ndarray) and executed.dtype.kind in "iu"
    if not is_whole or executed.shape != (steps, game.ticks_per_step):
        raise InvalidOption(
            f"executed is {_shape(executed)}; expected whole numbers [{steps}, {game.ticks_per_step}]: the ticks "
            f"between {steps + 1} frames"
        )
    if executed.size and not 0 <= executed.min() <= executed.max() < game.num_actions:
        raise InvalidOption(
            f"executed holds {executed.min()} to {executed.max()}; expected 0 to {game.num_actions - 1}"
        )
    return np.asarray(executed, np.int64).copy()


def _shape(value: Any) -> str:
    return f"{value.dtype} {[*value.shape]}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
