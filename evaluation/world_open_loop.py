"""A dream left to itself while the recorded ticks are played in it: how long things stay where they are in reality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from evaluation.held_out import Stretch, in_batches
from evaluation.report import Part, Row, certain
from evaluation.reward_events import reward_row
from evaluation.sights import Sight
from world_model.metrics.gain import Gain, gain_over_baseline
from world_model.metrics.intervals import Bools, Estimate, Floats
from world_model.metrics.things import within
from world_model.simulator import LaneSimulator

HORIZON = 100  # steps
_LOOKED_AT = (1, 2, 4, 8, 16, 32, 64)  # and the last
_PRINTED = (1, 8, 32)
_NEAR, _AT = 2.0, 1.0  # pixels: of any thing, of the player's own at the horizon
_REWARD_STEPS = (16, 64)
_CURVE_DRAWS = 500  # of the bootstrap, for each of so many points

Places = dict[str, Floats]  # by name of the thing: [B, D]


@dataclass(frozen=True)
class OpenLoopRun:
    """What was dreamt in the place of W stretches of T steps."""

    stretches: list[Stretch]
    decibels_WT: Floats  # over the last real frame
    changed_WT: Bools
    rewards_WT: Floats
    places: dict[int, tuple[Places, Places]]  # by step: where things are in the dream, and in reality

    @property
    def clusters(self) -> list[int]:
        """The game of each."""
        return [each.game.index for each in self.stretches]


def measure_open_loop(
    simulator: LaneSimulator, stretches: Sequence[Stretch], sight: Sight | None, reach: int, batch: int, seed: int
) -> Part:
    """Figures of these stretches, which are of one length."""
    runs: list[OpenLoopRun] = []
    with tqdm(total=sum(each.steps for each in stretches), desc="open loop", unit="step") as bar:
        for place, chosen in enumerate(in_batches(stretches, batch)):
            runs.append(_run(simulator, chosen, sight, reach, seed + place * batch, bar))
    run = _joined(runs)
    drift = [_gain(run, step, _CURVE_DRAWS) for step in range(1, run.decibels_WT.shape[1] + 1)]
    curves = {"drift": _curve(range(1, len(drift) + 1), drift), **_thing_curves(run)}
    return Part([*_gain_rows(run, drift), *_thing_rows(run, sight), *_reward_rows(run)], curves)


def _run(
    simulator: LaneSimulator,
    stretches: list[Stretch],
    sight: Sight | None,
    reach: int,
    seed: int,
    bar: tqdm[None],
) -> OpenLoopRun:
    lanes, steps = len(stretches), stretches[0].steps
    state, _ = simulator.start([each.context(reach) for each in stretches], range(seed, seed + lanes))
    seed_frames = np.stack([each.game.frames[each.moment] for each in stretches])
    gains, rewards, places = [], [], {}
    for t in range(1, steps + 1):
        state, step = simulator.step(state, np.stack([each.executed[t - 1] for each in stretches]))
        real = np.stack([each.game.frames[each.moment + t] for each in stretches])
        gains.append(gain_over_baseline(step.frames, real, seed_frames))
        rewards.append(step.rewards)
        if sight is not None and t in (*_LOOKED_AT, steps):
            places[t] = sight.read(step.frames).things, sight.read(real).things
        bar.update(lanes)
    return OpenLoopRun(
        stretches,
        np.stack([gain.decibels for gain in gains], axis=1),
        np.stack([gain.changed for gain in gains], axis=1),
        np.stack(rewards, axis=1),
        places,
    )


def _joined(runs: Sequence[OpenLoopRun]) -> OpenLoopRun:
    places = {
        step: (_stacked([run.places[step][0] for run in runs]), _stacked([run.places[step][1] for run in runs]))
        for step in runs[0].places
    }
    return OpenLoopRun(
        [each for run in runs for each in run.stretches],
        np.concatenate([run.decibels_WT for run in runs]),
        np.concatenate([run.changed_WT for run in runs]),
        np.concatenate([run.rewards_WT for run in runs]),
        places,
    )


def _stacked(places: Sequence[Places]) -> Places:
    return {name: np.concatenate([each[name] for each in places]) for name in places[0]}


# ---- figures -------------------------------------------------------------------------------------------------------


def _gain(run: OpenLoopRun, step: int, draws: int = 2000) -> Estimate:
    return Gain(run.decibels_WT[:, step - 1], run.changed_WT[:, step - 1]).mean(run.clusters, draws=draws)


def _gain_rows(run: OpenLoopRun, drift: Sequence[Estimate]) -> list[Row]:
    printed = sorted({step for step in (4, 8, len(drift)) if step <= len(drift)})
    rows = [
        Row(f"open_loop/gain_{step}", f"open loop: gain over the seed frame at step {step}", _gain(run, step), "dB")
        for step in printed
    ]
    above = next((step for step, gain in enumerate(drift) if not gain.low > 0), len(drift))
    what = "open loop: the gain is above 0 with its interval up to step"
    faithful = certain(above if not math.isnan(drift[0].low) else math.nan, drift[0].count)
    return [*rows, Row("open_loop/above_seed_frame", what, faithful, "steps", f"of {len(drift)}")]


def _near(run: OpenLoopRun, name: str, step: int, radius: float, draws: int = 2000) -> Estimate:
    dreamt, real = run.places[step]
    return within(dreamt[name], real[name], radius).share(run.clusters, draws=draws)


def _thing_rows(run: OpenLoopRun, sight: Sight | None) -> list[Row]:
    if sight is None:
        return []
    last = max(run.places)
    cases = [(name, step, _NEAR) for name in run.places[last][0] for step in _PRINTED if step in run.places]
    if sight.own is not None:
        cases.append((sight.own, last, _AT))
    return [
        Row(
            f"open_loop/{name}_within_{radius:g}_at_{step}",
            f"open loop: {name.replace('_', ' ')} within {radius:g} px at step {step}",
            _near(run, name, step, radius),
            "%",
        )
        for name, step, radius in cases
    ]


def _thing_curves(run: OpenLoopRun) -> dict[str, dict[str, list[float]]]:
    if not run.places:
        return {}
    steps, names = list(run.places), next(iter(run.places.values()))[0]
    return {
        f"{name} within {_NEAR:g} px": _curve(steps, [_near(run, name, step, _NEAR, _CURVE_DRAWS) for step in steps])
        for name in names
    }


def _reward_rows(run: OpenLoopRun) -> list[Row]:
    real_WT = np.stack([each.rewards for each in run.stretches])
    return [
        reward_row(
            f"open_loop/reward_f1_{steps}",
            f"rewards, first {steps} steps of open loop",
            list(run.rewards_WT[:, :steps]),
            list(real_WT[:, :steps]),
            run.clusters,
        )
        for steps in sorted({min(steps, real_WT.shape[1]) for steps in _REWARD_STEPS})
    ]


def _curve(steps: Sequence[int], estimates: Sequence[Estimate]) -> dict[str, list[float]]:
    return {
        "step": list(steps),
        "value": [each.value for each in estimates],
        "low": [each.low for each in estimates],
        "high": [each.high for each in estimates],
    }
