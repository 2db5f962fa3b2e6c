"""One step at a time from what was real (teacher-forced): the next frame, its reward, and whether the game is over.

A dream is begun from a real context and led back to the real frame after every step, so that each of its steps has the
real past behind it, at the price of one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from data_gen.policy import Frames
from evaluation.held_out import Stretch, in_batches
from evaluation.report import Part, Row
from evaluation.reward_events import TOLERANCE, reward_row
from world_model.metrics.calibration import (
    brier_skill,
    brier_sums,
    expected_calibration_error,
    reliability,
)
from world_model.metrics.events import event_sums, f1, match_events
from world_model.metrics.gain import Gain, gain_over_baseline
from world_model.metrics.intervals import Bools, Floats, estimate_of, estimate_of_sums
from world_model.simulator import Simulator


@dataclass(frozen=True)
class Forced:
    """What was foretold for the steps of one stretch."""

    stretch: Stretch
    decibels: Floats  # [steps], over copying the last frame
    changed: Bools  # [steps], frames that differ from the last, and were shown
    rewards: Floats  # [steps]
    terminated: Bools  # [steps]
    termination_probability: Floats  # [steps]


def measure_forced(simulator: Simulator, stretches: Sequence[Stretch], reach: int, batch: int, seed: int) -> Part:
    """Figures of all steps of these stretches."""
    forced: list[Forced] = []
    with tqdm(total=sum(each.steps for each in stretches), desc="one step", unit="step") as bar:
        for chosen in in_batches(stretches, batch):
            forced += _foretold(simulator, chosen, reach, seed + len(forced), bar)
    return Part(_rows(forced), {"termination_reliability": _reliability(forced)})


def _foretold(
    simulator: Simulator, stretches: Sequence[Stretch], reach: int, seed: int, bar: tqdm[None]
) -> list[Forced]:
    """Stretches come longest first: those that have ended are dropped from the end."""
    count = len(stretches)
    state, _ = simulator.start([each.context(reach) for each in stretches], range(seed, seed + count))
    columns: list[list[tuple[float, bool, float, bool, float]]] = [[] for _ in stretches]
    last = _frames(stretches, 0)
    for t in range(stretches[0].steps):
        running = [each for each in stretches if each.steps > t]
        if len(running) < count:
            count = len(running)
            state, last = state.select(range(count)), last[:count]
        state, step = simulator.step(state, np.stack([each.executed[t] for each in running]))
        real = _frames(running, t + 1)
        gain = gain_over_baseline(step.frames, real, last)
        changed = gain.changed & [each.moment + t + 1 <= each.game.last_shown for each in running]
        for column, row in zip(
            columns,
            zip(
                gain.decibels.tolist(),
                changed.tolist(),
                step.rewards.tolist(),
                step.terminated.tolist(),
                step.termination_probability.tolist(),
                strict=True,
            ),
            strict=False,
        ):
            column.append(row)
        simulator.look(state, real, np.array([each.rewards[t] for each in running]))
        last = real
        bar.update(count)
    return [
        Forced(each, *map(np.array, zip(*column, strict=True))) for each, column in zip(stretches, columns, strict=True)
    ]


def _frames(stretches: Sequence[Stretch], later: int) -> Frames:
    return np.stack([each.game.frames[each.moment + later] for each in stretches])


# ---- figures -------------------------------------------------------------------------------------------------------


def _rows(forced: Sequence[Forced]) -> list[Row]:
    games = [each.stretch.game.index for each in forced]
    clusters = np.repeat(games, [each.stretch.steps for each in forced])
    gain = Gain(*(np.concatenate([getattr(each, name) for each in forced]) for name in ("decibels", "changed")))
    note = f"{int((~gain.changed).sum()):,} frames that do not differ from the last apart"
    return [
        Row("forced/gain", "one step: gain over copying the last frame", gain.mean(clusters), "dB", note),
        reward_row(
            "forced/reward_f1",
            "rewards, one step from what was real",
            [each.rewards for each in forced],
            [each.stretch.rewards for each in forced],
            games,
        ),
        *_termination_rows(forced, games, clusters),
    ]


def _termination_rows(forced: Sequence[Forced], games: Sequence[int], clusters: Floats) -> list[Row]:
    probability, real = _terminations(forced)
    pairs = np.stack([probability, real], axis=1)

    def calibration_error(pairs_B2: Floats) -> float:
        return expected_calibration_error(reliability(pairs_B2[:, 0], pairs_B2[:, 1] > 0))

    note = f"{int(real.sum()):,} ends in {len(real):,} steps"
    skill = estimate_of_sums(brier_sums(probability, real), brier_skill, clusters)
    error = estimate_of(pairs, calibration_error, clusters, draws=200)
    # Where ends are rare the calibration error is small whatever is said: 0.4 % for none of one in 250 steps.
    foretold = estimate_of_sums(pairs, lambda totals: totals[0] / totals[1] if totals[1] else np.nan, clusters)
    return [
        Row("forced/end_skill", "end of the game: Brier skill (1 is perfect, 0 the base rate)", skill, "", note),
        Row("forced/end_calibration", "end of the game: calibration error", error, "%", note),
        Row("forced/ends_foretold", "end of the game: all probabilities together, for each end", foretold, "", note),
        _end_row("forced/end_f1", TOLERANCE, forced, games, note),
        _end_row("forced/end_f1_3", 3, forced, games, note),
    ]


def _end_row(key: str, tolerance: int, forced: Sequence[Forced], games: Sequence[int], note: str) -> Row:
    matches = [match_events(each.terminated, each.stretch.terminated, tolerance) for each in forced]
    found = estimate_of_sums(event_sums(matches), f1, games)
    return Row(key, f"end of the game: F1 within {tolerance} steps", found, "", note)


def _terminations(forced: Sequence[Forced]) -> tuple[Floats, Bools]:
    return (
        np.concatenate([each.termination_probability for each in forced]),
        np.concatenate([each.stretch.terminated for each in forced]),
    )


def _reliability(forced: Sequence[Forced]) -> dict[str, list[float]]:
    table = reliability(*_terminations(forced))
    return {"probability": table.probability.tolist(), "share": table.share.tolist(), "count": table.count.tolist()}
