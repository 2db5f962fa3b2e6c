"""Both returns of the dream's agents over training, beside the real game's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

from evaluation.transfer.outcome import Outcome, Stage, Trained

matplotlib.use("Agg")


def draw_outcome(outcome: Outcome, folder: Path) -> None:
    """Write `transfer.png`, if any run was judged on its way."""
    from matplotlib import pyplot

    lines = _lines(outcome)
    if not lines:
        return

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for place, (label, runs, value) in enumerate(lines):
        for run in runs:
            points = [(stage.steps, value(stage)) for stage in run.curve]
            axes.plot(*zip(*points, strict=True), color=f"C{place}", alpha=0.25, linewidth=1)
        steps = sorted({stage.steps for run in runs for stage in run.curve})
        means = [
            np.mean([value(stage) for run in runs for stage in run.curve if stage.steps == step]) for step in steps
        ]
        axes.plot(steps, means, color=f"C{place}", marker=".", label=label)
    axes.set(xlabel="steps of training", ylabel="mean return", title=f"{outcome.game}: {outcome.algorithm}")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / "transfer.png", dpi=120)
    pyplot.close(figure)


def _lines(outcome: Outcome) -> list[tuple[str, list[Trained], Callable[[Stage], float]]]:
    def dreamt(stage: Stage) -> float:
        assert stage.dreamt is not None
        return stage.dreamt

    def real(stage: Stage) -> float:
        return stage.real

    lines = [
        ("trained in the dream, played in the real game", outcome.of("dream"), real),
        ("trained in the dream, played in the dream", outcome.of("dream"), dreamt),
        ("trained in the real game", outcome.of("real"), real),
        ("trained on as many real steps as the world", outcome.of("matched"), real),
    ]
    return [line for line in lines if line[1]]
