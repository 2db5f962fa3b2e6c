"""Many dreams of the same moments, beside the one future that was recorded: varied enough, and about the right thing?

The recorded ticks are played in all of them, so that they differ by what the game itself leaves to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tqdm import tqdm

from data_gen.policy import Frames
from evaluation.held_out import Stretch, in_batches
from evaluation.report import Part, Row, certain
from world_model.metrics.futures import central_rank, energy_score, flatness
from world_model.metrics.intervals import Floats, Ints, estimate, estimate_of_sums, wilson
from world_model.simulator import LaneSimulator

FUTURES_STEPS = 16  # after which they are compared
_FUTURES = 16  # of each moment


def measure_futures(
    simulators: Mapping[int, LaneSimulator],
    painted: Callable[[Frames], Frames],
    stretches: Sequence[Stretch],
    reach: int,
    batch: int,
    seed: int,
) -> Part:
    """Figures of these stretches, which are of one length.

    Args:
        simulators: of the same world, by its evaluations for a frame; the one that it recommends first.
        painted: gives frames as the world would paint them; that it paints otherwise makes a future no other one.
        stretches: what was recorded.
        reach: frames that the world remembers.
        batch: lanes computed at once.
        seed: of the dreams.
    """
    generator = np.random.default_rng([seed, 3])
    clusters: list[int] = []
    scores: list[list[float]] = []
    ranks: list[int] = []
    with tqdm(total=len(stretches) * len(simulators), desc="futures", unit="moment") as bar:
        for chosen in in_batches(stretches, max(1, batch // _FUTURES)):
            recorded_SHWC = np.stack([each.game.frames[each.moment + each.steps] for each in chosen])
            recorded_SD, painted_SD = _points(recorded_SHWC), _points(painted(recorded_SHWC))
            first = seed + len(clusters) * _FUTURES
            dreamt = []
            for simulator in simulators.values():
                dreamt.append(_dreamt(simulator, chosen, reach, first))
                bar.update(len(chosen))
            for place, each in enumerate(chosen):
                scores.append([energy_score(points_SMD[place], recorded_SD[place]) for points_SMD in dreamt])
                ranks.append(central_rank(dreamt[0][place], painted_SD[place], generator))
                clusters.append(each.game.index)
    counts_R = np.bincount(ranks, minlength=_FUTURES + 1)
    rows = [*_energy_rows(list(simulators), stretches[0].steps, np.array(scores), clusters), _rank_row(counts_R)]
    return Part(rows, {"ranks": _histogram(counts_R)})


def _dreamt(simulator: LaneSimulator, stretches: Sequence[Stretch], reach: int, first_seed: int) -> Floats:
    """What each of the dreams shows at the end of each stretch [S, M, D]."""
    lanes = [each for each in stretches for _ in range(_FUTURES)]
    state, frames = simulator.start([each.context(reach) for each in lanes], range(first_seed, first_seed + len(lanes)))
    for executed_BK in np.stack([each.executed for each in lanes], axis=1):
        state, step = simulator.step(state, executed_BK)
        frames = step.frames
    return _points(frames).reshape(len(stretches), _FUTURES, -1)


def _points(frames_XHWC: Frames) -> Floats:
    """Frames as points; they lie as far apart as their pixels do in the root of the mean square, in gray levels."""
    return np.asarray(frames_XHWC.reshape(len(frames_XHWC), -1) / np.sqrt(frames_XHWC[0].size))


def _energy_rows(steps: list[int], length: int, scores_SK: Floats, clusters: list[int]) -> list[Row]:
    what = f"{_FUTURES} futures, {length} steps on"
    rows = [
        Row(
            f"futures/energy_{each}_evaluations",
            f"{what}: energy score at {each} evaluations",
            estimate(scores_S, clusters),
        )
        for each, scores_S in zip(steps, scores_SK.T, strict=True)
    ]
    if len(steps) == 1:
        return rows
    gained = estimate_of_sums(scores_SK, lambda totals: 1 - float(totals[0] / totals[1]), clusters)
    return [*rows, Row("futures/gain", f"{what}: energy score below that of one evaluation by", gained, "%")]


def _rank_row(counts_R: Ints) -> Row:
    outside = counts_R[-1] / counts_R.sum()
    return Row(
        "futures/flatness",
        f"{_FUTURES} futures: how often chance alone makes a flat rank histogram as uneven as theirs",
        certain(flatness(counts_R), int(counts_R.sum())),
        note=f"less central than all dreamt: {outside:.0%} of the recorded; as one of them, {1 / len(counts_R):.0%}",
    )


def _histogram(counts_R: Ints) -> dict[str, list[float]]:
    shares = [wilson(int(count), int(counts_R.sum())) for count in counts_R]
    return {
        "rank": list(range(len(counts_R))),
        "value": [each.value for each in shares],
        "low": [each.low for each in shares],
        "high": [each.high for each in shares],
    }
