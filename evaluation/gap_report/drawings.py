"""The report's drawings: each turns a curve of `gap.json` into a figure of the page."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from evaluation.gap_report.charts import Plot, ladder
from evaluation.gap_report.report import GapReport, number

_LEGEND = (
    "<p class='legend'><span class='key dream'>dream</span><span class='key floor'>the real game against itself</span>"
    "<span class='key null'>seed frame, copied</span></p>"
)


def scatter(report: GapReport) -> str:
    """Every policy's return in the dream over that in the real game, with both intervals."""
    policies = report.curves["policies"]
    every = [each[side][bound] for each in policies for side in ("real", "dream") for bound in ("low", "high", "value")]
    known = [each for each in every if not math.isnan(each)]
    low, high = min(-0.1, *known), max(1.1, *known)
    plot = Plot((low, high), (low, high), "return in the real game", "return in the dream", 420, 400)
    for x, y in report.curves["real_again"]:
        if low <= x <= high and low <= y <= high:
            plot.dot(x, y, "cloud", radius=3)
    plot.line([(low, low), (high, high)], "identity")
    for each in policies:
        real, dream = each["real"], each["dream"]
        if not math.isnan(real["low"] + dream["low"]):
            plot.line([(real["low"], dream["value"]), (real["high"], dream["value"])], "error")
            plot.line([(real["value"], dream["low"]), (real["value"], dream["high"])], "error")
        title = f"{each['name']}: real {real['raw']:+.2f}, dream {dream['raw']:+.2f}"
        plot.dot(real["value"], dream["value"], "policy hollow" if each["held_out"] else "policy", title)
    told = (("A3", "rho"), ("A3.mmrv", "MMRV"), ("A1", "NRE"))
    figures = " · ".join(f"{name} {number(report[key].estimate.value)}" for key, name in told)
    drawn = plot.svg("returns in the dream against returns in the real game, policy by policy")
    return f"{drawn}<figcaption>{figures}</figcaption>"


def ranks(policies: list[dict[str, Any]]) -> str:
    """The order of the policies in both."""
    orders = [
        [each["name"] for each in sorted(policies, key=lambda row: -row[side]["value"])] for side in ("real", "dream")
    ]
    moved = {name: "moved" for name in orders[0] if abs(orders[0].index(name) - orders[1].index(name)) > 1}
    return ladder(orders[0], orders[1], moved)


def horizons(rows: list[dict[str, Any]]) -> str:
    """Error and rank agreement of returns that are cut after so many steps."""
    known = [row for row in rows if row["steps"] is not None]
    last = 4 * max((row["steps"] for row in known), default=1)
    places = [float(row["steps"] or last) for row in rows]
    panels = []
    for name, label, span in (("error", "return error (NRE)", None), ("rho", "rank agreement (rho)", (-0.2, 1.05))):
        values = [value for row in rows for side in ("dream", "again") for value in row[f"{name}_{side}"]]
        top = max([value for value in values if not math.isnan(value)], default=1.0)
        plot = Plot(
            (min(places), max(places)), span or (0.0, 1.05 * top or 1.0), "cut at step (last: not at all)", label,
            log_x=True, x_ticks=places,
        )  # fmt: skip
        for side, style in (("again", "real"), ("dream", "dream")):
            of = [(place, row[f"{name}_{side}"]) for place, row in zip(places, rows, strict=True)]
            of = [(place, row) for place, row in of if not any(math.isnan(each) for each in row)]
            plot.band([(place, row[1], row[2]) for place, row in of], style)
            plot.line([(place, row[0]) for place, row in of], style)
            for place, row in of:
                plot.dot(place, row[0], f"dot {style}", radius=3)
        panels.append(f"<figure>{plot.svg(label)}</figure>")
    return f"<div class='two'>{''.join(panels)}</div>{_LEGEND}"


def drift(curve: dict[str, Any]) -> str:
    """The gain over the seed frame, step by step."""
    steps = curve["step"]
    floor = [(step, value) for step, value in zip(steps, curve["floor"], strict=True) if value is not None]
    rows = [(step, *row) for step, row in zip(steps, curve["model"], strict=True) if not math.isnan(row[0])]
    values = [value for _, *row in rows for value in row if not math.isnan(value)] + [value for _, value in floor]
    low, high = min([-2.0, *values]), max([2.0, *values])
    plot = Plot(
        (1, max(2, steps[-1])),
        (low, high),
        "step of open loop",
        "gain over the seed frame, dB",
        log_x=True,
        x_ticks=_powers(steps[-1]),
    )
    plot.line([(1, 0.0), (max(2, steps[-1]), 0.0)], "null")
    plot.line(floor, "real")
    plot.band([(step, row[1], row[2]) for step, *row in rows if not math.isnan(row[1])], "dream")
    plot.line([(step, row[0]) for step, *row in rows], "dream")
    return plot.svg("drift: gain over the seed frame by step")


def features(curve: dict[str, Any]) -> str:
    """How far the features are from those of the real frames."""
    steps = curve["step"]
    top = 1.08 * max([0.1, *curve["model"], *curve["copied"]])
    plot = Plot(
        (1, max(2, steps[-1])),
        (0.0, top),
        "step of open loop",
        "feature distance, 1: unrelated",
        log_x=True,
        x_ticks=_powers(steps[-1]),
    )
    plot.line(list(zip(steps, curve["copied"], strict=True)), "null")
    plot.line([(steps[0], 0.0), (steps[-1], 0.0)], "real")
    plot.line(list(zip(steps, curve["model"], strict=True)), "dream")
    for step, value in zip(steps, curve["model"], strict=True):
        plot.dot(step, value, "dot dream", radius=3)
    return plot.svg("feature distance from the real frames by step") + _LEGEND


def _powers(last: float) -> list[float]:
    return [2.0**power for power in range(0, int(math.log2(max(2, last))) + 1)]


def reliability(table: dict[str, Any]) -> str:
    """How often the game ended where so much probability was given to it."""
    plot = Plot((0, 1), (0, 1), "probability that was given", "share in which it ended", 360, 320)
    plot.line([(0, 0), (1, 1)], "identity")
    plot.line(list(zip(table["probability"], table["share"], strict=True)), "dream")
    for probability, share, count in zip(table["probability"], table["share"], table["count"], strict=True):
        plot.dot(probability, share, "dot dream", f"{count} steps", radius=4)
    return plot.svg("reliability of the probability of the end")


def confusions(tables: list[dict[str, Any]]) -> str:
    """What was made of each class, row by row; shares of the row give the colour."""
    return f"<div class='two'>{''.join(_confusion(table) for table in tables)}</div>"


def _confusion(table: dict[str, Any]) -> str:
    labels = [escape(label) for label in table["labels"]]
    head = "".join(f"<th>{label}</th>" for label in labels)
    rows = "".join(
        f"<tr><th>{label}</th>"
        + "".join(f"<td style='--share:{count / max(1, sum(counts)):.3f}'>{count:,.0f}</td>" for count in counts)
        + "</tr>"
        for label, counts in zip(labels, table["counts"], strict=True)
    )
    return (
        f"<figure class='scroll'><table class='confusion'><caption>{escape(table['title'])}</caption><thead><tr>"
        f"<th>{escape(table['rows'])}</th>{head}</tr></thead><tbody>{rows}</tbody></table></figure>"
    )


def transfer(runs: list[dict[str, Any]]) -> str:
    """Returns over training: of agents that learn in the dream, on both sides, and of those that learn in the game."""
    dreamers = [run for run in runs if run["arm"] == "dream"]
    lines = [(run["steps"], run["dreamt"], "dream") for run in dreamers]
    lines += [(run["steps"], run["real"], "real") for run in dreamers]
    lines += [(run["steps"], run["real"], "null") for run in runs if run["arm"] == "real"]
    values = [value for _, column, _ in lines for value in column]
    last = max(step for steps, *_ in lines for step in steps)
    low, high = min(values), max(values)
    plot = Plot((0, last), (low, high if high > low else low + 1), "steps of training", "mean return", 640, 320)
    for steps, column, style in lines:
        plot.line(list(zip(steps, column, strict=True)), style)
    legend = (
        "<p class='legend'><span class='key dream'>trained in the dream, played in the dream</span><span class='key "
        "floor'>trained in the dream, played in the game</span><span class='key null'>trained in the game</span></p>"
    )
    return f"<figure class='wide'>{plot.svg('returns over training')}</figure>{legend}"
