"""The report as one HTML page: all inline, nothing loaded from elsewhere, light and dark, for phones and screens."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from data_gen.atomic import write_atomically
from evaluation.gap_report.charts import Bar, bars
from evaluation.gap_report.drawings import confusions, drift, features, horizons, ranks, reliability, scatter, transfer
from evaluation.gap_report.metric import TRACKS, Metric, Picture
from evaluation.gap_report.report import GapReport, interval, number
from evaluation.gap_report.verdict import Verdict

STYLE = (Path(__file__).parent / "page.css").read_text()
_PICTURE_WIDTH = 640
_UNITS = {"": "", "%": "", "dB": "dB", "steps": "steps", "a 1000 steps": "/ 1000 steps", "steps/s": "steps/s"}
_MARKS = {"yes": "✓", "no": "✗", "not measured": "?"}


def write_page(report: GapReport, pictures: Mapping[str, Picture], file: Path) -> None:
    """Write the page of a report."""
    write_atomically(file, page(report, pictures).encode())


def page(report: GapReport, pictures: Mapping[str, Picture]) -> str:
    """The page."""
    title = f"The gap of {escape(report.game)}"
    sections = [_head(report), _cards(report), _closed(report), *_charts(report), *_pictures(pictures), _all(report)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(sections)
        + _how(report)
        + "\n</main></body></html>\n"
    )


# ---- at the top ------------------------------------------------------------------------------------------------------


def _head(report: GapReport) -> str:
    chips = "".join(_chip(each) for each in report.verdicts)
    return (
        f"<header><p class='kicker'>neural-env gap · {escape(report.profile)} · seed {report.seed}</p>"
        f"<h1>How far is the dream of {escape(report.game)} from the game?</h1>"
        f"<p class='sub'><b class='is-dream'>{escape(report.dream)}</b> against "
        f"<b class='is-real'>{escape(report.real)}</b>, by the same frozen policies in both.</p>"
        f"<div class='chips'>{chips}</div></header>"
    )


def _chip(verdict: Verdict) -> str:
    style = {"yes": "good", "no": "bad", "not measured": "open"}[verdict.answer]
    rows = "".join(
        f"<li class='{answer.split()[0]}'>{_MARKS[answer]} {escape(text)}</li>" for text, answer in verdict.conditions
    )
    return (
        f"<details class='chip {style}'><summary>use for <b>{verdict.use}</b>: {verdict.answer}</summary>"
        f"<ul>{rows}</ul></details>"
    )


def _cards(report: GapReport) -> str:
    cards = "".join(
        "<article class='card'>" + "".join(_figure(label, metric) for label, metric in each) + "</article>"
        for each in report.headline
    )
    return (
        f"<section class='cards'>{cards}</section><p class='legend'>Under each figure: its 95 % interval, "
        "<span class='key floor'>floor</span> (the real game against itself) and <span class='key null'>null</span> "
        "(what knows nothing). The bar runs from the null to the floor.</p>"
    )


def _figure(label: str, metric: Metric | None) -> str:
    label = label.partition(",")[0] if label.endswith(("dB", "steps", "steps/s", "of real")) else label
    if metric is None or not metric.is_measured:
        why = "not asked for" if metric is None else metric.note
        empty = f"<p class='big'>&ndash;</p><p class='small'>{escape(why)}</p>"
        return f"<div class='figure none'><h3>{escape(label)}</h3>{empty}</div>"
    percent = "%" if metric.unit == "%" else ""
    unit = _UNITS.get(metric.unit, metric.unit)
    floor, null = ("" if each is None else number(each.value, percent) for each in (metric.floor, metric.null))
    between = "".join(
        f"<span class='key {name}'>{value}</span>" for name, value in (("floor", floor), ("null", null)) if value
    )
    return (
        f"<div class='figure'><h3>{escape(label)}</h3>"
        f"<p class='big'>{number(metric.estimate.value, percent)}<small> {escape(unit)}</small></p>"
        f"<p class='small'>{interval(metric.estimate, percent)} {between}</p>{_meter(metric)}</div>"
    )


def _meter(metric: Metric) -> str:
    if metric.gap_closed is None:
        return "<div class='meter none'></div>"
    share = 100 * min(1.0, max(0.0, metric.gap_closed.value))
    return (
        f"<div class='meter' title='gap closed: {metric.gap_closed.value:.2f}'><i style='width:{share:.1f}%'></i></div>"
    )


# ---- charts ----------------------------------------------------------------------------------------------------------


def _closed(report: GapReport) -> str:
    rows = [
        Bar(_short(metric), f"track-{metric.track}", of.value, of.low, of.high)
        for metric in report.metrics
        if (of := metric.gap_closed) is not None
    ]
    if not rows:
        return ""
    text = "1: as near to the real game as the real game is to itself. 0: no better than the null. Whiskers: 95 %."
    return _section("One axis for everything: the gap closed", text, f"<figure class='wide'>{bars(rows)}</figure>")


def _short(metric: Metric) -> str:
    """Key and first words, as many as there is room for."""
    words = metric.what.partition(": ")[0]
    return f"{metric.key}  {textwrap.shorten(words, 38 - len(metric.key), placeholder='…')}"


def _charts(report: GapReport) -> list[str]:
    curves = report.curves
    drawn = []
    if "policies" in curves:
        both = f"<figure>{scatter(report)}</figure><figure>{ranks(curves['policies'])}</figure>"
        text = (
            "Each dot is a policy, with 95 % intervals; grey is the real game against itself. Hollow: held out, its "
            f"play was never recorded. Returns are normalised: {curves['scale']}."
        )
        drawn.append(_section("Does it judge policies as the game does?", text, f"<div class='two'>{both}</div>"))
    if curves.get("horizons"):
        drawn.append(
            _section(
                "Where does the error come from?",
                "Returns cut after so many steps, in both.",
                horizons(curves["horizons"]),
            )
        )
    if "drift" in curves:
        text = f"Open loop: the recorded actions, and nothing else, from real moments. Right: {curves['features_are']}."
        two = f"<figure>{drift(curves['drift'])}</figure><figure>{features(curves['features'])}</figure>"
        drawn.append(_section("How long does it stay true?", text, f"<div class='two'>{two}</div>"))
    if curves.get("reliability", {}).get("count"):
        text = "Of the steps that were given about the same probability of the end, how many were it."
        drawn.append(
            _section(
                "Does it know when the game ends?",
                text,
                f"<div class='two'><figure>{reliability(curves['reliability'])}</figure></div>",
            )
        )
    confused = [*curves.get("actions_confused", []), *curves.get("rewards_confused", [])]
    if confused:
        text = "Rows: what was the case. Columns: what the dream (or the reader of actions) made of it."
        drawn.append(_section("What is taken for what?", text, confusions(confused)))
    if curves.get("transfer"):
        text = (
            "Mean returns over training, run by run. Where the dream's line lies above the real one of the same "
            "agents, they have found what pays in the dream alone."
        )
        drawn.append(_section("Does what is learned in it hold in the game?", text, transfer(curves["transfer"])))
    return drawn


def _pictures(pictures: Mapping[str, Picture]) -> list[str]:
    drawn = []
    for name, each in pictures.items():
        source = f"data:image/{each.kind};base64,{base64.b64encode(each.content).decode()}"
        width = each.width * max(1, _PICTURE_WIDTH // each.width)  # whole pixels, so that they stay crisp
        image = f"<img class='pixels' width='{width}' alt='{escape(name)}' src='{source}'>"
        drawn.append(_section(each.title, each.text, f"<figure class='scroll'>{image}</figure>"))
    return drawn


# ---- everything ------------------------------------------------------------------------------------------------------


def _all(report: GapReport) -> str:
    parts = []
    for track, what in TRACKS.items():
        own = [metric for metric in report.metrics if metric.track == track]
        if own:
            rows = "".join(_row(metric) for metric in own)
            parts.append(
                f"<h3><span class='tag track-{track}'>{track}</span> {escape(what)}</h3><div class='scroll'><table>"
                "<thead><tr><th>figure</th><th>value</th><th>95 %</th><th>floor</th><th>null</th><th>closed</th>"
                f"<th>n</th></tr></thead><tbody>{rows}</tbody></table></div>"
            )
    return _section("All figures", "", "".join(parts))


def _row(metric: Metric) -> str:
    percent = "%" if metric.unit == "%" else ""
    floor, null = ("" if each is None else number(each.value, percent) for each in (metric.floor, metric.null))
    closed = ""
    if metric.gap_closed is not None:
        closed = f"{metric.gap_closed.value:.2f} <small>{interval(metric.gap_closed)}</small>"
    said = "".join(
        f"<small>{escape(text)}</small>"
        for text in (metric.note, f"null: {metric.null_is}" if metric.null_is else "")
        if text
    )
    count = f"{metric.estimate.count:,} <small>in {metric.estimate.clusters:,}</small>" if metric.estimate.count else ""
    unit = _UNITS.get(metric.unit, metric.unit)
    return (
        f"<tr><td><code>{escape(metric.key)}</code> {escape(metric.what)}{said}</td>"
        f"<td class='n'><b>{number(metric.estimate.value, percent)}</b> <small>{escape(unit)}</small></td>"
        f"<td class='n'>{interval(metric.estimate, percent)}</td><td class='n'>{floor}</td><td class='n'>{null}</td>"
        f"<td class='n'>{closed}</td><td class='n'>{count}</td></tr>"
    )


def _how(report: GapReport) -> str:
    rules = "".join(
        f"<li><b>{each.use}</b>: {escape('; '.join(text for text, _ in each.conditions))}</li>"
        for each in report.verdicts
    )
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(_said(value))}</code></dd>" for name, value in report.facts.items()
    )
    text = "The rules were declared before anything was measured; a use is recommended only if all of its rules hold."
    return _section("How it was measured", text, f"<ul class='rules'>{rules}</ul><dl>{facts}</dl>")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    if isinstance(value, list):
        return " ".join(_said(each) for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _section(title: str, text: str, body: str) -> str:
    said = f"<p class='sub'>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(title)}</h2>{said}{body}</section>"
