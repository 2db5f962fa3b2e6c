"""A report: measured figures with their intervals and targets, as JSON for programs and as Markdown for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from world_model.metrics.intervals import Estimate

Unit = Literal["%", "dB", "", "steps", "a 1000 steps"]
Verdict = Literal["passed", "missed", "reported", "not measured"]


@dataclass(frozen=True)
class Target:
    """What a figure has to reach."""

    least: float | None = None
    most: float | None = None
    whole_interval: bool = False  # the interval has to reach it, not the figure alone

    def met_by(self, estimate: Estimate) -> bool:
        """Whether a figure reaches it.

        Example:
            >>> Target(least=0.9).met_by(Estimate(0.95, 0.8, 0.99, 10, 10))
            True
            >>> Target(least=0.9, whole_interval=True).met_by(Estimate(0.95, 0.8, 0.99, 10, 10))
            False
        """
        low, high = (estimate.low, estimate.high) if self.whole_interval else (estimate.value, estimate.value)
        return (self.least is None or low >= self.least) and (self.most is None or high <= self.most)

    def text(self, unit: Unit) -> str:
        """As it is printed.

        Example:
            >>> Target(least=0.98).text("%"), Target(least=0.99, most=1.01).text("")
            ('>= 98 %', '0.99 to 1.01')
        """
        least, most = (None if bound is None else _number(bound, unit) for bound in (self.least, self.most))
        bound = f"{least} to {most}" if least and most else f">= {least}" if least else f"<= {most}"
        return f"{bound} {unit}".rstrip() + (", with its interval" if self.whole_interval else "")


@dataclass(frozen=True)
class Row:
    """One figure."""

    key: str  # for programs: "open_loop/gain_8"
    what: str  # for people
    estimate: Estimate
    unit: Unit = ""  # "%": the estimate is a share from 0 to 1
    note: str = ""
    real: Estimate | None = None  # the real game by the same measure
    target: Target | None = None

    @property
    def verdict(self) -> Verdict:
        """What came of the target."""
        if math.isnan(self.estimate.value):
            return "not measured"
        if self.target is None:
            return "reported"
        return "passed" if self.target.met_by(self.estimate) else "missed"

    def aimed_at(self, targets: Mapping[str, Target]) -> Row:
        """With its target, if it has one."""
        return replace(self, target=targets.get(self.key))


@dataclass(frozen=True)
class Part:
    """What one way of measuring gave: figures, and curves to be drawn."""

    rows: list[Row]
    curves: dict[str, Any] = field(default_factory=dict)  # lists of numbers, by name


@dataclass(frozen=True)
class Report:
    """All that was measured, and how."""

    title: str
    facts: dict[str, Any]  # what was measured with which settings
    rows: list[Row]
    curves: dict[str, Any]

    def to_json(self) -> bytes:
        """For programs: strict JSON, with null for what is not known."""
        rows = [
            {
                "key": row.key,
                "what": row.what,
                "unit": row.unit,
                **asdict(row.estimate),
                "target": None if row.target is None else asdict(row.target),
                "verdict": row.verdict,
                "real": None if row.real is None else asdict(row.real),
                "note": row.note,
            }
            for row in self.rows
        ]
        plain = {"title": self.title, "facts": self.facts, "rows": rows, "curves": self.curves}
        return (json.dumps(_without_nan(plain), indent=1, allow_nan=False) + "\n").encode()

    def to_markdown(self, pictures: Sequence[str] = ()) -> str:
        """For people; `pictures` are file names beside the report."""
        facts = "\n".join(f"- {name}: {value}" for name, value in self.facts.items())
        figures = "\n\n".join(f"![{name}]({name})" for name in pictures)
        return "\n\n".join(filter(None, [f"# {self.title}", facts, table(self.rows), figures])) + "\n"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table.

    Example:
        >>> row = Row("a", "a share", Estimate(0.5, 0.4, 0.6, 100, 10), "%", target=Target(least=0.4))
        >>> print(table([row]).splitlines()[-1])
        | a share | 50 % (40 to 60) | >= 40 % | passed |  | 100 in 10 |  |
    """
    head = ("what", "figure (95 % interval)", "target", "verdict", "real game", "cases", "note")
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        estimate = row.estimate
        target = "" if row.target is None else row.target.text(row.unit)
        real = "" if row.real is None else figure_text(row.real, row.unit)
        cases = f"{estimate.count:,} in {estimate.clusters:,}" if estimate.clusters < estimate.count else estimate.count
        figure = figure_text(estimate, row.unit)
        lines.append(_line([row.what, figure, target, row.verdict, real, str(cases), row.note]))
    return "\n".join(lines)


def figure_text(estimate: Estimate, unit: Unit) -> str:
    """A figure with its interval, as it is printed.

    Example:
        >>> figure_text(Estimate(0.123456, 0.1, 0.2, 10, 10), "%")
        '12.35 % (10 to 20)'
    """
    if math.isnan(estimate.value):
        return "not measured"
    known = not (math.isnan(estimate.low) or math.isnan(estimate.high))
    interval = f"({_number(estimate.low, unit)} to {_number(estimate.high, unit)})" if known else ""
    return " ".join(filter(None, [_number(estimate.value, unit), unit, interval]))


def certain(value: float, count: int = 1) -> Estimate:
    """A figure without an interval, from so many cases."""
    return Estimate(float(value), math.nan, math.nan, count, count)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float, unit: Unit) -> str:
    scaled = 100 * value if unit == "%" else value
    return f"{scaled:.4g}"


def _without_nan(plain: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(plain, dict):
        return {name: _without_nan(value) for name, value in plain.items()}
    if isinstance(plain, (list, tuple)):
        return [_without_nan(value) for value in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
