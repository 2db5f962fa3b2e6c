"""Track A as the page draws it: the policies' returns, the real game against itself, and how both fare by horizon."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.gap_report.contestants import Contestant
from evaluation.gap_report.episodes import HORIZONS, JUDGED, Table
from evaluation.gap_report.normalised_returns import Means, means, scale
from world_model.metrics.agreement import normalised, optimism, return_error, spearman
from world_model.metrics.intervals import estimate


def policy_rows(table: Table, members: Sequence[Contestant], draws: int) -> list[dict[str, object]]:
    """Every policy's return on each side, with its interval."""
    chosen = scale(table)
    rows: list[dict[str, object]] = []
    for place, member in enumerate(members):
        row: dict[str, object] = {"name": member.name, "held_out": member.held_out, "sha256": member.sha256}
        for side in JUDGED:
            returns = table.column(side, "total")[place]
            of = estimate(normalised(returns, chosen.random, chosen.reference), draws=min(draws, 1000))
            row[side] = {"raw": float(returns.mean()), "value": of.value, "low": of.low, "high": of.high}
        rows.append(row)
    return rows


def cloud(found: Means, count: int = 40) -> list[list[float]]:
    """Where real against real lies: some draws of both, policy by policy."""
    return [
        [float(x), float(y)]
        for x, y in zip(found.draws["real"][:count].ravel(), found.draws["again"][:count].ravel(), strict=True)
    ]


def horizon_rows(table: Table, draws: int, seed: int) -> list[dict[str, object]]:
    """A6: error and ranks of returns that are cut after so many steps, on both sides."""
    rows: list[dict[str, object]] = []
    for column, steps in [*((f"total_{each}", each) for each in HORIZONS), ("total", None)]:
        span = scale(table, column)
        if span.random == span.reference:
            continue
        found = means(table, min(draws, 500), seed, column)
        row: dict[str, object] = {"steps": steps}
        for name, figure in (("error", return_error), ("bias", optimism), ("rho", spearman)):
            for side in JUDGED[1:]:
                of = found.of(figure, side).estimate(2, 2)
                row[f"{name}_{side}"] = [of.value, of.low, of.high]
        rows.append(row)
    return rows
