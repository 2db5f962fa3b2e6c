"""The stage `neural-env temperatures`: what a dream's temperature does to those that learn in it.

    neural-env temperatures DoomTakeCover --temperatures 0.1 0.5 1.0 1.15 1.3 --steps 1000000

The table that Ha and Schmidhuber made of DoomTakeCover: in a dream that leaves little to chance an agent finds what
pays there alone; in one that leaves more to chance than the game it learns what holds in the game, too.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib

from data_gen.atomic import write_atomically
from evaluation.report import figure_text
from evaluation.transfer.arms import dreamt_world
from evaluation.transfer.figures import Which, mean_returns
from evaluation.transfer.outcome import Trained
from evaluation.transfer.run import Run, run_all
from evaluation.transfer.setting import RunsConfig, Setting, Unready
from world_model.metrics.intervals import Estimate

matplotlib.use("Agg")

FILE = "temperatures.json"
_DRAWS, _SEED = 2000, 0


@dataclass(frozen=True)
class TemperaturesConfig(RunsConfig):
    """Train agents in dreams of several temperatures, and score them there and in the real game."""

    temperatures: tuple[float, ...] = (0.1, 0.5, 1.0, 1.15, 1.3)


@dataclass(frozen=True)
class Line:
    """One temperature; None is random play, which no dream has taught."""

    temperature: float | None
    dreamt: Estimate | None  # mean return in the dream that they have learned in
    real: Estimate


def temperatures(config: TemperaturesConfig) -> None:
    """Run what is missing, write temperatures.json and temperatures.png, and print the table."""
    settings = _settings(config)
    last = next(reversed(settings.values()))
    wanted: list[Run] = [(each, "dream", seed) for each in settings.values() for seed in range(config.seeds)]
    *trained, random = run_all([*wanted, (last, "random", 0)], config.workers)
    lines = [
        _line(temperature, trained[place * config.seeds :][: config.seeds])
        for place, temperature in enumerate(settings)
    ]
    lines.append(Line(None, None, _mean([random], "returns")))
    out = last.out.parent
    plain = {
        "game": config.game,
        "world": dreamt_world(last),
        "algorithm": f"{config.algo.name}, {last.in_words}",
        "steps": config.steps,
        "seeds": config.seeds,
        "lines": [asdict(line) for line in lines],
    }
    write_atomically(out / FILE, (json.dumps(plain, indent=1) + "\n").encode())
    _draw(lines, config.game, out)
    print(table(lines))
    print(f"{out / FILE}: {config.seeds} runs of each temperature, {config.episodes} games each")


def table(lines: list[Line]) -> str:
    """As Markdown.

    Example:
        >>> print(table([Line(0.5, Estimate(20.0, 19.0, 21.0, 9, 9), Estimate(-3.0, -4.0, -2.0, 9, 9))]))
        | temperature | score in the dream | score in the game |
        |---|---|---|
        | 0.5 | 20 (19 to 21) | -3 (-4 to -2) |
    """
    rows = [
        f"| {'random play' if line.temperature is None else line.temperature} "
        f"| {'' if line.dreamt is None else figure_text(line.dreamt, '')} | {figure_text(line.real, '')} |"
        for line in lines
    ]
    return "\n".join(["| temperature | score in the dream | score in the game |", "|---|---|---|", *rows])


def _settings(config: TemperaturesConfig) -> dict[float, Setting]:
    """Each temperature's own folder."""
    if not config.temperatures or len(set(config.temperatures)) < len(config.temperatures):
        raise Unready(f"temperatures are {config.temperatures}; expected one or more, each once")
    out = config.out or Path("temperatures") / config.game.lower()
    return {
        each: Setting(
            dataclasses.replace(config, dream=dataclasses.replace(config.dream, temperature=each)), out / f"{each:g}"
        )
        for each in sorted(config.temperatures)
    }


def _line(temperature: float, runs: list[Trained]) -> Line:
    return Line(temperature, _mean(runs, "dreamt_returns"), _mean(runs, "returns"))


def _mean(runs: list[Trained], which: Which) -> Estimate:
    """With an interval over runs and games; of one run, over its games alone."""
    games = sum(len(run.returns) for run in runs)
    return mean_returns(runs, _DRAWS, _SEED, which).mean.estimate(games, games)


def _draw(lines: list[Line], game: str, folder: Path) -> None:
    from matplotlib import pyplot

    dreams = [line for line in lines if line.temperature is not None]
    where = range(len(dreams))
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for shift, label, estimates in (
        (-0.05, "score in the dream", [line.dreamt for line in dreams]),
        (0.05, "score in the game", [line.real for line in dreams]),
    ):
        known = [each for each in estimates if each is not None]
        bars = [[each.value - each.low for each in known], [each.high - each.value for each in known]]
        places = [place + shift for place in where]
        axes.errorbar(places, [each.value for each in known], bars, marker="o", capsize=3, label=label)
    for line in lines:
        if line.temperature is None:
            axes.axhline(line.real.value, color="0.6", linestyle="--", label="random play in the game")
    axes.set_xticks(list(where), [f"{line.temperature:g}" for line in dreams])
    axes.set_xlim(-0.5, len(dreams) - 0.5)  # a single temperature, too, has its two points beside each other
    axes.set(xlabel="temperature of the dream", ylabel="mean return", title=game)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / "temperatures.png", dpi=120)
    pyplot.close(figure)
