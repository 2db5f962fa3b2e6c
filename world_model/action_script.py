"""Actions written down by people: a line each, a name or a number, and how often it is held.

NOOP 10
RIGHT 8      # a comment
3
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

_MAX_STEPS = 1_000_000


class InvalidActions(ValueError):
    """A file of actions that cannot be read; the message names file and line."""


def read_actions(file: Path, meanings: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """The actions [T] that `file` asks for in a game whose actions have these names."""
    actions: list[int] = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        action = _action(words[0], meanings)
        times = words[1] if len(words) > 1 else "1"
        if action is None or len(words) > 2 or not times.isdecimal() or not 1 <= int(times) <= _MAX_STEPS:
            raise InvalidActions(
                f"{file}, line {number} is {line.strip()!r}; expected an action ({', '.join(meanings)}, or 0 to "
                f"{len(meanings) - 1}) and how often, such as '{meanings[0]} 8'"
            )
        actions += [action] * int(times)
        if len(actions) > _MAX_STEPS:
            raise InvalidActions(f"{file} asks for more than {_MAX_STEPS:,} steps by line {number}")
    if not actions:
        raise InvalidActions(f"{file} holds no action")
    return np.array(actions, np.int64)


def _action(word: str, meanings: tuple[str, ...]) -> int | None:
    if word.isdecimal():
        return int(word) if int(word) < len(meanings) else None
    return meanings.index(word) if word in meanings else None
