"""Long dreams in many lanes: how many die, whether the score in the picture follows the rewards, and when games end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np

from agents.zoo import zoo
from data_gen.behaviours import RandomHold
from data_gen.policy import Policy
from data_gen.spec import GameSpec
from evaluation.closed_loop import LaneLog, seen
from evaluation.held_out import HeldOutGame
from evaluation.report import Part, Row
from evaluation.sights import Score, Seconds, Sight
from world_model.metrics.intervals import Estimate, Verdict, estimate_of_sums, proportion
from world_model.metrics.lanes import Death, Limits, first_death
from world_model.metrics.score import ScoreReading, read_score

_CHUNK = 256  # frames


def lane_policies(game: GameSpec) -> list[Policy]:
    """Who plays: random-hold in every second lane, and in the others the policies of the zoo in turn."""
    frozen = [policy.load() for policy in zoo(game.name).values()]
    if not frozen:
        return [RandomHold(game.num_actions)]
    return [policy for each in frozen for policy in (RandomHold(game.num_actions), each)]


def recorded_log(game: HeldOutGame, sight: Sight | None) -> LaneLog:
    """A real game as a lane, to be judged as dreams are."""
    frames = game.frames[: game.last_shown + 1]
    chunks = [seen(frames[first : first + _CHUNK], sight) for first in range(0, len(frames), _CHUNK)]
    still = [np.array_equal(before, frame) for before, frame in pairwise(frames)]
    steps = len(frames) - 1
    return LaneLog(
        np.append(0.0, game.rewards[:steps]),
        np.append(False, game.terminated[:steps]),
        np.arange(len(frames)) == 0,
        np.append(True, ~np.array(still, np.bool_)),
        *map(np.concatenate, zip(*chunks, strict=True)),
    )


def lanes_part(logs: Sequence[LaneLog], real: Sequence[LaneLog], game: GameSpec, sight: Sight | None) -> Part:
    """Figures of dreamt lanes beside those of real ones."""
    rows = [_joined(*pair) for pair in zip(*(_rows(each, game, sight) for each in (logs, real)), strict=True)]
    return Part(rows)


def _joined(row: Row, real: Row) -> Row:
    return replace(row, real=real.estimate if real.estimate.count else None)


def _rows(logs: Sequence[LaneLog], game: GameSpec, sight: Sight | None) -> list[Row]:
    rows = [_dead_row(logs, (sight.seconds if sight else Seconds()).limits(game))]
    if sight is not None and sight.score is not None:
        rows += _score_rows(logs, sight.score)
    return rows


# ---- death ---------------------------------------------------------------------------------------------------------


def _dead_row(logs: Sequence[LaneLog], limits: Limits) -> Row:
    deaths = [first_death(log.changed, log.blank, log.ball, log.readable, limits) for log in logs]
    steps = sum(int((~log.restarted).sum()) for log in logs)
    dead = proportion([death.step is not None for death in deaths])
    note = f"{sum(death.step is not None for death in deaths)} of {len(logs)} lanes in {steps:,} steps"
    return Row("lanes/dead", "dead lanes (frozen, blank, no ball, unreadable)", dead, "%", note + _causes(deaths))


def _causes(deaths: Sequence[Death]) -> str:
    first = [min(died, key=died.__getitem__) for death in deaths if (died := _died(death))]
    counted = ", ".join(f"{cause.replace('_', ' ')} {count}" for cause, count in Counter(first).items())
    steps = [death.step for death in deaths if death.step is not None]
    return f": {counted}; the first at step {min(steps):,}" if steps else ""


def _died(death: Death) -> dict[str, int]:
    return {cause: step for cause, step in asdict(death).items() if step is not None}


# ---- score ---------------------------------------------------------------------------------------------------------


def _score_rows(logs: Sequence[LaneLog], score: Score) -> list[Row]:
    readings = [
        read_score(log.own, log.other, log.rewards, log.terminated, log.restarted, score.lag, score.points)
        for log in logs
    ]
    events = _pooled([reading.follows for reading in readings])
    games = _pooled([reading.ends for reading in readings])
    what = "score in the frame moves with the reward"
    return [
        Row("lanes/score_follows", what, events, "%", f"of {events.count:,} events"),
        Row("lanes/score_phantoms", "changes of the score without a reward", _phantoms(readings, logs), "a 1000 steps"),
        Row("lanes/ends", f"a game ends at {score.points} and only there", games, "%", f"of {games.count:,} games"),
    ]


def _pooled(verdicts: Sequence[Verdict]) -> Estimate:
    lanes = np.repeat(np.arange(len(verdicts)), [len(verdict.holds) for verdict in verdicts])
    holds, counts = (
        np.concatenate([np.empty(0, np.bool_), *(getattr(verdict, name) for verdict in verdicts)])
        for name in ("holds", "counts")
    )
    return Verdict(holds, counts).share(lanes)


def _phantoms(readings: Sequence[ScoreReading], logs: Sequence[LaneLog]) -> Estimate:
    sums = [(reading.phantoms.sum(), len(log.rewards)) for reading, log in zip(readings, logs, strict=True)]
    return estimate_of_sums(np.array(sums, np.float64).reshape(-1, 2), lambda total: float(1000 * total[0] / total[1]))
