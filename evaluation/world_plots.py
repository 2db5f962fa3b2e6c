"""A report's curves as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

Curve = dict[str, list[float]]


def plot_curves(curves: dict[str, Any], folder: Path) -> list[str]:
    """Draw what there is; returns the names of the pictures."""
    pictures = []
    if "drift" in curves:
        pictures.append(_draw({"gain over the seed frame": curves["drift"]}, "dB", folder, "drift.png"))
    things = {name: curve for name, curve in curves.items() if " within " in name}
    if things:
        pictures.append(_draw(things, "share of rollouts", folder, "things.png"))
    if "ranks" in curves:
        pictures.append(_draw_ranks(curves["ranks"], folder, "ranks.png"))
    if curves.get("termination_reliability", {}).get("count"):
        pictures.append(_draw_reliability(curves["termination_reliability"], folder, "termination.png"))
    return pictures


def _draw(curves: dict[str, Curve], y_label: str, folder: Path, name: str) -> str:
    """Lines with their intervals over the steps of open loop."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for label, curve in curves.items():
        axes.plot(curve["step"], curve["value"], marker="." if len(curve["step"]) < 20 else None, label=label)
        axes.fill_between(curve["step"], curve["low"], curve["high"], alpha=0.2)
    axes.set(xlabel="step of open loop", ylabel=y_label)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / name, dpi=120)
    pyplot.close(figure)
    return name


def _draw_reliability(table: Curve, folder: Path, name: str) -> str:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 4), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7")
    axes.plot(table["probability"], table["share"], marker="o")
    axes.set(xlabel="probability that was given to the end of the game", ylabel="share in which it ended")
    axes.grid(alpha=0.3)
    figure.savefig(folder / name, dpi=120)
    pyplot.close(figure)
    return name


def _draw_ranks(histogram: Curve, folder: Path, name: str) -> str:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 4), layout="constrained")
    ranks, shares = histogram["rank"], histogram["value"]
    below = [share - low for share, low in zip(shares, histogram["low"], strict=True)]
    above = [high - share for share, high in zip(shares, histogram["high"], strict=True)]
    axes.bar(ranks, shares, yerr=[below, above], color="0.7", ecolor="0.3")
    axes.axhline(1 / len(ranks), color="C0", label="the recorded future is one of them")
    axes.set(xlabel="dreamt futures that are more central than the recorded one", ylabel="share of moments")
    axes.set_xticks(ranks[::2])
    axes.legend(loc="upper left")  # futures that vary too little pile up on the right
    figure.savefig(folder / name, dpi=120)
    pyplot.close(figure)
    return name
