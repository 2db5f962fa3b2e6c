"""What each lane has to tell, in the form that Gymnasium's own vector environments give it: arrays with masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from neural_env.lanes import LaneStep

Mask = npt.NDArray[np.bool_]

_EACH_STEP = ("start_index", "executed", "reward_probabilities", "termination_probability", "surprise")


def masked(infos: Mapping[str, npt.NDArray[Any]], mask: Mask) -> dict[str, Any]:
    """Each with its mask; rows of lanes that have nothing to tell hold zeros.

    Example:
        >>> masked({"start_index": np.array([3, 4])}, np.array([True, False]))["start_index"].tolist()
        [3, 0]
    """
    if not mask.any():
        return {}
    told: dict[str, Any] = {}
    for name, rows in infos.items():
        told[name] = np.where(mask.reshape(-1, *[1] * (rows.ndim - 1)), rows, 0)
        told[f"_{name}"] = mask.copy()
    return told


def step_infos(step: LaneStep, mask: Mask) -> dict[str, Any]:
    """What a step tells."""
    return masked({name: getattr(step, name) for name in _EACH_STEP}, mask)


def final_infos(step: LaneStep, ends: Mask) -> dict[str, Any]:
    """The last frame and info of episodes that are followed by new ones in the same step."""
    if not ends.any():
        return {}
    last = np.full(len(ends), None, dtype=object)
    for lane in np.flatnonzero(ends):
        last[lane] = step.frames[lane].copy()
    infos = {"final_obs": last, "final_info": step_infos(step, ends)}
    return infos | {f"_{name}": ends.copy() for name in infos}
