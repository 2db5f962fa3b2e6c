"""What a dream may be used for, by rules that are declared here, before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from evaluation.gap_report.metric import Metric

Use = Literal["ranking", "training", "video"]
Answer = Literal["yes", "no", "not measured"]


@dataclass(frozen=True)
class Rule:
    """One condition; all of a use's conditions have to hold."""

    use: Use
    key: str  # of the metric
    text: str  # what has to hold
    holds: Callable[[Metric, float], bool]  # of the metric, and of the MMRV that chance beats once in forty


@dataclass(frozen=True)
class Verdict:
    """The answer for one use, and what came of each condition."""

    use: Use
    answer: Answer
    conditions: tuple[tuple[str, Answer], ...]


RULES: tuple[Rule, ...] = (
    Rule("ranking", "A3", "the interval of rho lies above 0.7", lambda m, _: m.estimate.low > 0.7),
    Rule(
        "ranking",
        "A3.mmrv",
        "MMRV is below the 2.5 % quantile of random rankings",
        lambda m, low: m.estimate.value < low,
    ),
    Rule(
        "training",
        "E1.dream",
        "reward F1 at +-1 on dreamt frames is at least 0.9",
        lambda m, _: m.estimate.value >= 0.9,
    ),
    Rule("training", "E4.dream", "at most 5 phantom rewards a 1000 steps", lambda m, _: m.estimate.value <= 5),
    Rule("training", "D3", "action following is at least 0.9 of real", lambda m, _: m.estimate.value >= 0.9),
    Rule("training", "A2", "the bias is at most 0.15 either way", lambda m, _: abs(m.estimate.value) <= 0.15),
    Rule("video", "C1", "the interval of the gain over copying lies above 0 dB", lambda m, _: m.estimate.low > 0),
    Rule("video", "C3", "faithful for at least 32 steps", lambda m, _: m.estimate.value >= 32),
    Rule("video", "C6", "the motion ratio is 0.8 to 1.25", lambda m, _: 0.8 <= m.estimate.value <= 1.25),
    Rule("video", "C6.dead", "no episode dies", lambda m, _: m.estimate.value == 0),
)


def verdicts(metrics: Mapping[str, Metric], mmrv_by_chance: float) -> tuple[Verdict, ...]:
    """One for each use: yes where all conditions hold, no where one does not, else not measured."""
    uses: tuple[Use, ...] = ("ranking", "training", "video")
    return tuple(_verdict(use, metrics, mmrv_by_chance) for use in uses)


def _verdict(use: Use, metrics: Mapping[str, Metric], mmrv_by_chance: float) -> Verdict:
    conditions = tuple(
        (rule.text, _answer(rule, metrics.get(rule.key), mmrv_by_chance)) for rule in RULES if rule.use == use
    )
    answers = {answer for _, answer in conditions}
    worst: Answer = "no" if "no" in answers else "not measured" if "not measured" in answers else "yes"
    return Verdict(use, worst, conditions)


def _answer(rule: Rule, metric: Metric | None, mmrv_by_chance: float) -> Answer:
    if metric is None or not metric.is_measured:
        return "not measured"
    return "yes" if rule.holds(metric, mmrv_by_chance) else "no"
