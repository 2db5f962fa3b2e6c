"""Track F: the place of what agents trained in the dream do in the real game. It takes runs of training to fill it."""

from __future__ import annotations

from evaluation.gap_report.metric import Metric, not_measured

_WHY = "needs agents trained in this dream"


def measure_transfer() -> list[Metric]:
    """Nothing yet."""
    return [
        not_measured("F1", "F", "transfer ratio: the real score of an agent trained in the dream", _WHY),
        not_measured("F2", "F", "equal-data advantage over training on the recorded frames alone", _WHY),
        not_measured("F3", "F", "exploitation gap, maximum over training", _WHY),
    ]
