"""What counts as an action: one rule for twin and dream."""

from __future__ import annotations

from typing import Any

import numpy as np


class InvalidAction(ValueError):
    """An action outside the action space; nothing has changed."""


def checked_action(action: Any, num_actions: int) -> int:
    """`action` as a plain int, or InvalidAction.

    Whole numbers in range are accepted: int, NumPy integers, 0-d integer arrays. bool is not a number here, and
    neither floats, strings nor arrays with a dimension are actions, even where Python could convert them.

    Example:
        >>> checked_action(np.int64(2), 6)
        2
    """
    is_whole = isinstance(action, (int, np.integer)) and not isinstance(action, (bool, np.bool_))
    is_whole_array = isinstance(action, np.ndarray) and action.shape == () and action.dtype.kind in "iu"
    if (is_whole or is_whole_array) and 0 <= int(action) < num_actions:
        return int(action)
    raise InvalidAction(f"action {action!r} ({type(action).__name__}); expected an integer from 0 to {num_actions - 1}")
