"""One figure of the report: value, interval, floor, null, and how much of the gap between the two it closes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from world_model.metrics.intervals import Estimate
from world_model.metrics.resampling import Drawn, excludes, gap_closed

Track = Literal["A", "B", "C", "D", "E", "F", "G"]
Unit = Literal["", "%", "dB", "steps", "a 1000 steps", "steps/s", "of real", "grey levels"]
Better = Literal["higher", "lower", "nearer 0", "nearer 1", "neither"]

TRACKS: dict[Track, str] = {
    "A": "returns: the same frozen policies in both",
    "B": "behaviour: how often things happen, how long games last",
    "C": "frames",
    "D": "control: does it do what it is told",
    "E": "rewards and ends",
    "F": "transfer: agents trained in the dream",
    "G": "speed",
}


@dataclass(frozen=True)
class Metric:
    """A figure; where it was not measured, its value is NaN and the note says why."""

    key: str  # for programs: "A1", "C2.8"
    track: Track
    what: str  # for people
    estimate: Estimate
    unit: Unit = ""
    better: Better = "neither"
    floor: Estimate | None = None  # the real game, by the same measure, against itself
    null: Estimate | None = None  # what knows nothing, by the same measure
    null_is: str = ""  # which null
    gap_closed: Estimate | None = None  # 1: as good as the real game is to itself, 0: the null
    p_of_one: float = math.nan  # that the gap-closed score is 1, from its draws
    p_of_one_holm: float = math.nan  # the same, corrected for how many figures there are
    seed: int = 0  # of the bootstrap
    note: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.estimate.value)


@dataclass(frozen=True)
class Cases:
    """What a figure was drawn from."""

    count: int
    clusters: int


def measured(
    key: str,
    track: Track,
    what: str,
    model: Drawn,
    cases: Cases,
    *,
    unit: Unit = "",
    better: Better = "neither",
    floor: Drawn | None = None,
    null: Drawn | None = None,
    null_is: str = "",
    best: float | None = None,
    seed: int = 0,
    note: str = "",
) -> Metric:
    """A figure from draws that belong together; `best` is what a gap counts from, where better is "nearer" it."""
    plain = Metric(key, track, what, model.estimate(cases.count, cases.clusters), unit, better, seed=seed, note=note)
    plain = replace(
        plain,
        floor=None if floor is None else floor.estimate(cases.count, cases.clusters),
        null=None if null is None else null.estimate(cases.count, cases.clusters),
        null_is=null_is,
    )
    if floor is None or null is None:
        return plain
    closed = gap_closed(*(each if best is None else _distance(each, best) for each in (model, floor, null)))
    if closed is None:
        return plain
    return replace(plain, gap_closed=closed.estimate(cases.count, cases.clusters), p_of_one=excludes(closed, 1.0))


def not_measured(key: str, track: Track, what: str, why: str, unit: Unit = "") -> Metric:
    """The place of a figure that was not measured."""
    return Metric(key, track, what, Estimate(math.nan, math.nan, math.nan, 0, 0), unit, note=why)


def _distance(drawn: Drawn, best: float) -> Drawn:
    return Drawn(abs(drawn.value - best), abs(drawn.draws - best))


@dataclass(frozen=True)
class Findings:
    """What a track gave: figures, and what the page draws."""

    metrics: list[Metric] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)  # plain JSON, by name
    pictures: dict[str, Picture] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # plain JSON, beside the report's own


@dataclass(frozen=True)
class Picture:
    """One picture of the page."""

    title: str
    text: str
    kind: Literal["png", "gif"]
    content: bytes
    width: int  # pixels
