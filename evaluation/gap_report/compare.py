"""The stage `neural-env gap compare`: reports side by side, and what got better or worse beyond the noise.

neural-env gap compare gap/old gap/new

Two reports are comparable where they asked the same question: the same real game, zoo and sizes. A figure differs
beyond the noise where neither interval reaches the other's figure; a test of the difference would be less strict.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from evaluation.gap_report.report import SCHEMA, number

Change = Literal["better", "worse", "same", "differs", "-"]
_SAME = ("game", "profile")
_MAX_BYTES = 64 << 20
_MARKS: dict[Change, str] = {"better": "▲ better", "worse": "▼ worse", "differs": "differs", "same": "", "-": ""}


class UnfitReports(ValueError):
    """Reports that cannot be compared; the message says why."""


@dataclass(frozen=True)
class CompareConfig:
    """Compare gap reports: the first is the one that the others are held against."""

    runs: tyro.conf.Positional[tuple[Path, ...]]  # folders of runs, or their gap.json


def compare_command(config: CompareConfig) -> None:
    """Print all figures side by side."""
    if len(config.runs) < 2:
        raise UnfitReports(f"there are {len(config.runs)} runs; expected two or more")
    reports = [read_report(run) for run in config.runs]
    for run, report in zip(config.runs[1:], reports[1:], strict=True):
        require_comparable(reports[0], report, config.runs[0], run)
    print(compared_table(reports, [run.parent.name if run.is_file() else run.name for run in config.runs]))


def read_report(run: Path) -> dict[str, Any]:
    """A report as it was written."""
    file = run / "gap.json" if run.is_dir() else run
    if file.stat().st_size > _MAX_BYTES:
        raise UnfitReports(f"{file} has {file.stat().st_size} bytes; a gap report has at most {_MAX_BYTES}")
    try:
        plain = json.loads(file.read_bytes())
    except ValueError as fault:
        raise UnfitReports(f"{file} is not JSON: {fault}") from fault
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise UnfitReports(f"{file} is no gap report of schema {SCHEMA}; write it anew with `neural-env gap`")
    return plain


def require_comparable(one: dict[str, Any], other: dict[str, Any], run: Path, other_run: Path) -> None:
    """UnfitReports unless both asked the same question."""
    for name in _SAME:
        if one[name] != other[name]:
            raise UnfitReports(f"{run} has {name} {one[name]!r}, {other_run} has {other[name]!r}; expected the same")
    if one["facts"]["zoo"]["sha256"] != other["facts"]["zoo"]["sha256"]:
        raise UnfitReports(f"{run} and {other_run} were played by different zoos; MMRV and ranks mean different things")


def change(one: dict[str, Any], other: dict[str, Any]) -> Change:
    """What became of a figure, as `gap.json` holds it.

    Example:
        >>> def figure(value, low, high):
        ...     return {"better": "higher", "estimate": {"value": value, "low": low, "high": high}}
        >>> change(figure(0.5, 0.4, 0.6), figure(0.9, 0.8, 1.0)), change(figure(0.5, 0.2, 0.8), figure(0.6, 0.4, 0.9))
        ('better', 'same')
    """
    before, after = one["estimate"], other["estimate"]
    if None in (before["value"], after["value"], before["low"], after["low"]):
        return "-"
    if before["low"] <= after["value"] <= before["high"] or after["low"] <= before["value"] <= after["high"]:
        return "same"
    goodness = [_goodness(each["value"], one["better"]) for each in (before, after)]
    if math.isnan(goodness[0]):
        return "differs"
    return "better" if goodness[1] > goodness[0] else "worse"


def _goodness(value: float, better: str) -> float:
    if better == "higher":
        return value
    if better == "lower":
        return -value
    return -abs(value - float(better.removeprefix("nearer "))) if better.startswith("nearer ") else math.nan


def compared_table(reports: list[dict[str, Any]], names: list[str]) -> str:
    """All figures that every report measured, with what became of the last one against the first."""
    metrics = [{metric["key"]: metric for metric in report["metrics"]} for report in reports]
    width = max(12, *(len(name) + 2 for name in names))
    lines = [f"{'figure':<58}" + "".join(f"{name:>{width}}" for name in names) + "  last against first"]
    for key, first in metrics[0].items():
        others = [each.get(key) for each in metrics]
        if any(each is None or each["estimate"]["value"] is None for each in others):
            continue
        values = "".join(f"{number(each['estimate']['value']):>{width}}" for each in others if each)
        mark = _MARKS[change(first, metrics[-1][key])]
        lines.append(f"{key + '  ' + first['what']:<58.56}{values}  {mark}".rstrip())
    for use in ("ranking", "training", "video"):
        answers = [next(each["answer"] for each in report["verdicts"] if each["use"] == use) for report in reports]
        lines.append(f"{'use for ' + use:<58}" + "".join(f"{answer:>{width}}" for answer in answers))
    return "\n".join(lines)
