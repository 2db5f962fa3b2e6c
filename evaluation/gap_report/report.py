"""The gap report: typed figures, as JSON for programs and as a box for the terminal."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.gap_report.metric import TRACKS, Metric
from evaluation.gap_report.verdict import Verdict
from world_model.metrics.intervals import Estimate

SCHEMA = 1
_WIDTH = 98
# The eight numbers, in the protocol's order; what belongs together shares one.
HEADLINE: tuple[tuple[tuple[str, str], ...], ...] = (
    (("A3", "rank agreement, rho"), ("A3.mmrv", "rank violation, MMRV")),
    (("A1", "return error, NRE"), ("A2", "optimism bias")),
    (("F1", "transfer ratio"), ("F2", "P(improvement) over the data alone")),
    (("F3", "exploitation gap"),),
    (("C1", "gain at 1 step over copying, dB"), ("C3", "faithful horizon H*, steps")),
    (("D3", "action following, of real"), ("D4", "counterfactual direction")),
    (
        ("E1.dream", "reward F1 at +-1, dreamt frames"),
        ("E1.dream.end", "end F1 at +-3"),
        ("E4.dream", "phantom rewards a 1000 steps"),
    ),
    (("G1", "speed, steps/s"),),
)


@dataclass(frozen=True)
class GapReport:
    """What `evaluation.gap` found.

    `report["A3"]` is a figure by its key; `report.verdicts` says what the dream may be used for.
    """

    dream: str  # environment ids
    real: str
    game: str
    profile: str
    tracks: tuple[str, ...]
    seed: int
    facts: dict[str, Any]  # hashes, versions, sampler, sizes, matched starts
    metrics: tuple[Metric, ...]
    verdicts: tuple[Verdict, ...]
    curves: dict[str, Any]  # what the page draws
    seconds: float  # that it took

    def __getitem__(self, key: str) -> Metric:
        """The figure of that key; KeyError with the keys that there are."""
        found = {metric.key: metric for metric in self.metrics}
        if key not in found:
            raise KeyError(f"no figure {key!r}; this report has {', '.join(found)}")
        return found[key]

    @property
    def headline(self) -> list[list[tuple[str, Metric | None]]]:
        """The eight numbers, each with its label; None where its track was not asked for."""
        found = {metric.key: metric for metric in self.metrics}
        return [[(label, found.get(key)) for key, label in each] for each in HEADLINE]

    def to_json(self) -> bytes:
        """Strict JSON, null for what is not known; equal runs give equal bytes but for "took" and track G."""
        plain = {
            "schema": SCHEMA,
            "dream": self.dream,
            "real": self.real,
            "game": self.game,
            "profile": self.profile,
            "tracks": list(self.tracks),
            "seed": self.seed,
            "facts": self.facts,
            "verdicts": [asdict(each) for each in self.verdicts],
            "metrics": [asdict(each) for each in self.metrics],
            "curves": self.curves,
            "took": {"seconds": round(self.seconds, 1)},
        }
        return (json.dumps(without_nan(plain), indent=1, allow_nan=False) + "\n").encode()

    def to_text(self) -> str:
        """The headline box."""
        return "\n".join(_box(self))


def without_nan(plain: Any) -> Any:
    """JSON has no NaN and no infinity.

    Example:
        >>> without_nan({"a": [1.0, math.nan]})
        {'a': [1.0, None]}
    """
    if isinstance(plain, dict):
        return {name: without_nan(value) for name, value in plain.items()}
    if isinstance(plain, (list, tuple)):
        return [without_nan(value) for value in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def digest(content: bytes) -> str:
    """SHA-256.

    Example:
        >>> digest(b"")[:8]
        'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


# ---- the box -------------------------------------------------------------------------------------------------------


def number(value: float, unit: str = "") -> str:
    """A figure as it is printed.

    Example:
        >>> number(0.98765), number(0.5, "%"), number(1234.5, "steps/s"), number(math.nan)
        ('0.988', '50.0 %', '1,234 steps/s', '?')
    """
    if math.isnan(value):
        return "?"
    if unit == "%":
        return f"{100 * value:.1f} %"
    whole = abs(value) >= 1000 or (abs(value) >= 10 and value == int(value))
    text = f"{value:,.0f}" if whole else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{text} {unit}".rstrip()


def interval(estimate: Estimate, unit: str = "") -> str:
    """An interval as it is printed; nothing where there is none.

    Example:
        >>> interval(Estimate(0.5, 0.4, 0.6, 10, 10))
        '[0.400, 0.600]'
    """
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    low, high = (number(each, unit).removesuffix(f" {unit}") for each in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def _box(report: GapReport) -> list[str]:
    inside = [f"{report.dream} against {report.real}, profile {report.profile}, seed {report.seed}", ""]
    inside.append(f"{'':34}{'figure':>10}  {'95 % interval':<22}{'floor':>9}{'null':>9}{'closed':>8}")
    for place, figures in enumerate(report.headline, start=1):
        for row, (label, metric) in enumerate(figures):
            cells = f"{'-':>10}  its track was not asked for" if metric is None else _cells(metric)
            inside.append(f"{place if row == 0 else ' '} {label:32}{cells}")
    inside += ["", _uses(report)]
    inside += [
        f"  {each.use}: {text}: {answer}"
        for each in report.verdicts
        for text, answer in each.conditions
        if answer != "yes"
    ]
    inside += ["", "floor: real against real; null: what knows nothing; closed: 1 at the floor, 0 at the null"]
    return [f"╭{'─' * _WIDTH}╮", *(f"│ {line[: _WIDTH - 2]:<{_WIDTH - 2}} │" for line in inside), f"╰{'─' * _WIDTH}╯"]


def _cells(metric: Metric) -> str:
    """Figure, interval, floor, null and gap-closed score; the unit is the label's."""
    if not metric.is_measured:
        return f"{'-':>10}  {metric.note}"
    percent = "%" if metric.unit == "%" else ""
    floor, null = ("-" if each is None else number(each.value, percent) for each in (metric.floor, metric.null))
    closed = "n/a" if metric.gap_closed is None else f"{metric.gap_closed.value:.2f}"
    figure, between = number(metric.estimate.value, percent), interval(metric.estimate, percent)
    return f"{figure:>10}  {between:<22}{floor:>9}{null:>9}{closed:>8}"


def _uses(report: GapReport) -> str:
    return "use for: " + ", ".join(f"{each.use} {each.answer.upper()}" for each in report.verdicts)


def table(metrics: tuple[Metric, ...]) -> str:
    """All figures, track by track, for the terminal."""
    lines = []
    for track, what in TRACKS.items():
        own = [metric for metric in metrics if metric.track == track]
        if own:
            lines += ["", f"{track}  {what}"]
            lines += [
                f"  {metric.key:<16}{_cells(metric)}  {metric.what}, {metric.unit}".rstrip(", ") for metric in own
            ]
    return "\n".join(lines)
