"""Reward events of many rollouts: found, late, made up or missed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evaluation.report import Row
from world_model.metrics.events import event_sums, f1, match_events, phantoms_per_1000_steps, precision, recall, timing
from world_model.metrics.intervals import estimate_of_sums

TOLERANCE = 1  # steps

Series = Sequence[npt.NDArray[np.float64]]


def reward_row(key: str, what: str, predicted: Series, real: Series, clusters: Sequence[int]) -> Row:
    """F1 of the rewards in pairs of series, each pair matched by itself."""
    matches = [match_events(ours, theirs, TOLERANCE) for ours, theirs in zip(predicted, real, strict=True)]
    sums_E4 = event_sums(matches)
    total_4 = sums_E4.sum(axis=0)
    late = timing(matches)
    note = (
        f"{int(total_4[0] + total_4[2]):,} real events in {int(total_4[3]):,} steps; precision "
        f"{100 * precision(total_4):.1f} %, recall {100 * recall(total_4):.1f} %, "
        f"{phantoms_per_1000_steps(total_4):.2f} made up a 1000 steps, {late.median:+g} steps late in the median"
    )
    return Row(key, f"{what}, F1 at +-{TOLERANCE} step", estimate_of_sums(sums_E4, f1, clusters), "", note)
