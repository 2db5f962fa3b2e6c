"""Track C: pictures. One step from what was real, then left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data_gen.policy import Frames
from evaluation.gap_report.dreamers import Dreamer
from evaluation.gap_report.eyes import Eyes, unrelated
from evaluation.gap_report.metric import Cases, Findings, Metric, measured, not_measured
from evaluation.gap_report.rollouts import RollOut
from world_model.metrics.gain import gain
from world_model.metrics.intervals import Floats
from world_model.metrics.psnr import mean_squared_errors
from world_model.metrics.resampling import LEVEL, Drawn, cluster_totals, mean_of

_GRID = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # steps at which features are compared
_PRINTED = 8  # steps, of the curve's figure
_SEED_FRAME, _LAST_FRAME = "the seed frame, copied", "the last frame, copied"
_EXACT = "a twin repeats the recording exactly: the floor has no noise"


# ---- one step at a time --------------------------------------------------------------------------------------------


@dataclass
class ForcedGain:
    """C1, collected roll-out by roll-out: decibels over copying the last real frame."""

    rows: list[Floats]  # [N, 4]: gain, gain of an exact copy, gain of the tokenizer alone, 1
    clusters: list[int]
    still: int = 0  # frames that do not differ from the last, which cannot be gained on

    @classmethod
    def empty(cls) -> ForcedGain:
        """Nothing yet."""
        return cls([], [])

    def add(self, batch: RollOut, dreamer: Dreamer) -> None:
        """The steps of some stretches, each from what was real."""
        last = np.concatenate([batch.before[:, -1:], batch.real[:, :-1]], axis=1)
        for row, each in enumerate(batch.stretches):
            copied = mean_squared_errors(last[row], batch.real[row])
            moved = copied > 0
            self.still += int((~moved).sum())
            if not moved.any():
                continue
            real, frames = batch.real[row][moved], batch.frames[row][moved]
            rebuilt = dreamer.rebuilt(real)
            columns = [
                gain(mean_squared_errors(frames, real), copied[moved]),
                gain(np.zeros(int(moved.sum())), copied[moved]),
                gain(mean_squared_errors(real if rebuilt is None else rebuilt, real), copied[moved]),
                np.ones(int(moved.sum())),
            ]
            self.rows.append(np.stack(columns, axis=1))
            self.clusters += [each.game.index] * int(moved.sum())

    def metrics(self, draws: int, seed: int) -> list[Metric]:
        """C1 and its ceiling."""
        what = "gain over copying the last frame, one step"
        if not self.rows:
            return [not_measured("C1", "C", what, "nothing moves in what was recorded", "dB")]
        rows = np.concatenate(self.rows)
        drawn = cluster_totals(rows, self.clusters, draws, seed)
        cases = Cases(len(rows), len(set(self.clusters)))
        model, floor, ceiling = (mean_of(*drawn, which, 3) for which in range(3))
        note = f"{self.still:,} frames that do not differ from the last apart; {_EXACT}"
        zero = Drawn.exactly(0.0, draws)
        gained = measured(
            *("C1", "C", what),
            model,
            cases,
            unit="dB",
            better="higher",
            floor=floor,
            null=zero,
            null_is=_LAST_FRAME,
            seed=seed,
            note=note,
        )
        best = "its ceiling: real frames through the tokenizer alone"
        return [gained, measured("C1.tokenizer", "C", best, ceiling, cases, unit="dB", better="higher", seed=seed)]


# ---- open loop -----------------------------------------------------------------------------------------------------


@dataclass
class Drift:
    """C2 and C3, collected roll-out by roll-out."""

    eyes: Eyes
    model: list[Floats]  # [B, T], mean squared errors
    copied: list[Floats]  # of the seed frame
    far: list[Floats]  # [B, G], feature distances of the dream
    far_copied: list[Floats]
    far_unrelated: list[float]
    clusters: list[int]

    @classmethod
    def empty(cls, eyes: Eyes) -> Drift:
        """Nothing yet."""
        return cls(eyes, [], [], [], [], [], [])

    def add(self, batch: RollOut) -> Floats:
        """Some rollouts; the feature distance of each at its last step."""
        lanes, steps = batch.real.shape[:2]
        seed = batch.before[:, -1:]
        flat = batch.real.reshape(-1, *batch.real.shape[2:])
        for errors, frames in ((self.model, batch.frames), (self.copied, np.broadcast_to(seed, batch.real.shape))):
            errors.append(mean_squared_errors(frames.reshape(flat.shape), flat).reshape(lanes, steps))
        far, far_copied = [], []
        for step in self._grid(steps):
            real, dreamt = (
                self.eyes.stack(_until(batch.before, frames, step, self.eyes.view.stack))
                for frames in (batch.real, batch.frames)
            )
            still = self.eyes.stack(_until(batch.before, np.repeat(seed, step, axis=1), step, self.eyes.view.stack))
            far.append(self.eyes.distance(dreamt, real))
            far_copied.append(self.eyes.distance(still, real))
        others = np.roll(np.arange(lanes), 1)
        apart = batch.clusters != batch.clusters[others]
        self.far_unrelated += self.eyes.distance(real, real[others])[apart].tolist()
        self.far.append(np.stack(far, axis=1))
        self.far_copied.append(np.stack(far_copied, axis=1))
        self.clusters += batch.clusters.tolist()
        return far[-1]

    @staticmethod
    def _grid(steps: int) -> list[int]:
        return [*(step for step in _GRID if step < steps), steps]

    def findings(self, draws: int, seed: int) -> Findings:
        """Gain, features and how far they stay above the seed frame."""
        model, copied = np.concatenate(self.model), np.concatenate(self.copied)
        steps = model.shape[1]
        metrics: list[Metric] = []
        rows: list[list[float]] = []
        floors: list[float | None] = []
        for step in range(1, steps + 1):
            at = self._gain(model[:, step - 1], copied[:, step - 1], step, min(draws, 500), seed)
            rows.append([at.estimate.value, at.estimate.low, at.estimate.high])
            floors.append(None if at.floor is None else at.floor.value)
        for step in sorted({min(_PRINTED, steps), steps}):
            metrics.append(self._gain(model[:, step - 1], copied[:, step - 1], step, draws, seed))
        far, horizon = self._features(steps, draws, seed)
        curve = {"step": list(range(1, steps + 1)), "model": rows, "floor": floors}
        return Findings([*metrics, horizon], {"drift": curve, "features": far, "features_are": self.eyes.how})

    def _gain(self, model_W: Floats, copied_W: Floats, step: int, draws: int, seed: int) -> Metric:
        what = f"gain over the seed frame at step {step}, open loop"
        moved = copied_W > 0
        if not moved.any():
            return not_measured(f"C2.{step}", "C", what, "nothing has moved by then", "dB")
        rows = np.stack(
            [gain(model_W[moved], copied_W[moved]), gain(np.zeros(moved.sum()), copied_W[moved]), np.ones(moved.sum())],
            1,
        )
        clusters = np.array(self.clusters)[moved]
        drawn = cluster_totals(rows, clusters, draws, seed)
        return measured(
            *(f"C2.{step}", "C", what),
            mean_of(*drawn, 0, 2),
            Cases(len(rows), len(set(clusters.tolist()))),
            unit="dB",
            better="higher",
            floor=mean_of(*drawn, 1, 2),
            null=Drawn.exactly(0.0, draws),
            null_is=_SEED_FRAME,
            seed=seed,
            note=_EXACT,
        )

    def _features(self, steps: int, draws: int, seed: int) -> tuple[dict[str, object], Metric]:
        """C3, the faithful horizon: up to which step the features are nearer than the seed frame's, at every step."""
        grid, scale = self._grid(steps), unrelated(self.far_unrelated)
        far, copied = np.concatenate(self.far) / scale, np.concatenate(self.far_copied) / scale
        rows = np.concatenate([far, copied, np.ones((len(far), 1))], axis=1)
        totals, drawn = cluster_totals(rows, self.clusters, draws, seed)
        means, means_D = totals[:-1] / totals[-1], drawn[:, :-1] / drawn[:, -1:]
        gains, gains_D = means[len(grid) :] - means[: len(grid)], means_D[:, len(grid) :] - means_D[:, : len(grid)]
        low, high = np.quantile(gains_D, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        clusters = len(set(self.clusters))
        value = _last_above(low if clusters > 1 else gains, grid)
        horizon = measured(
            *(
                "C3",
                "C",
                "faithful horizon H*: nearer than the seed frame in features, with 95 % certainty, up to step",
            ),
            Drawn(value, np.array([_last_above(each, grid) for each in gains_D], np.float64)),
            Cases(len(far), clusters),
            unit="steps",
            better="higher",
            floor=Drawn.exactly(_last_above(means[len(grid) :], grid), draws),
            null=Drawn.exactly(0.0, draws),
            null_is=_SEED_FRAME,
            seed=seed,
            note=f"of {steps} steps, looked at {', '.join(map(str, grid))}; {self.eyes.how}",
        )
        # The figure is a lower bound already; its draws are of the plain one, and lie above.
        horizon = replace(horizon, p_of_one=1.0 if value == steps else horizon.p_of_one)
        curve: dict[str, object] = {
            "step": grid,
            "model": means[: len(grid)].tolist(),
            "copied": means[len(grid) :].tolist(),
            "gain": [list(each) for each in zip(gains.tolist(), low.tolist(), high.tolist(), strict=True)],
        }
        return curve, horizon


def _until(before: Frames, frames: Frames, step: int, count: int) -> Frames:
    """The last `count` frames that were seen by a step, or as many as there were."""
    recent = frames[:, max(0, step - count) : step]
    return recent if step >= count else np.concatenate([before, recent], axis=1)


def _last_above(gains: Floats, grid: Sequence[int]) -> float:
    """The last step up to which all of them are above 0."""
    return float(
        max(
            (step for step, all_above in zip(grid, np.minimum.accumulate(gains > 0), strict=True) if all_above),
            default=0,
        )
    )
