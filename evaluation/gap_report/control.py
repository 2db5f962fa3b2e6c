"""Track D: does the dream do what it is told.

D1 and D2 compare rollouts with the recorded ticks and with random legal ones, D3 reads the actions back from the dreamt
frames, D4 holds each legal action from the same real moments. The twin is perfect by all of them: it repeats what it is
told exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from data_gen.policy import Frames
from data_gen.twin import Twin
from evaluation.gap_report.dreamers import Dreamer
from evaluation.gap_report.eyes import Eyes
from evaluation.gap_report.inverse import InverseModel
from evaluation.gap_report.metric import Cases, Metric, measured, not_measured
from evaluation.gap_report.rollouts import RollOut
from evaluation.held_out import Stretch, UnfitRecording
from world_model.metrics.control import macro_f1
from world_model.metrics.intervals import Bools, Floats, Ints
from world_model.metrics.psnr import ROUNDING_MSE, mean_squared_errors, psnr
from world_model.metrics.resampling import Drawn, cluster_totals, drawn_by, mean_of

HELD = 4  # steps, from each start
SKILL_STEP, _DELTA_STEP = 8, 4
_READABLE = 0.8  # of what is read off real frames, chance may have no more
_BLIND = "a dream that takes no notice of actions"
_EXACT = "a twin repeats the recording exactly: the floor has no noise"


# ---- D1, D2: recorded ticks against random ones ----------------------------------------------------------------------


@dataclass
class Skill:
    """Errors with the recorded ticks and with random ones, collected roll-out by roll-out."""

    rows: list[Floats] = field(default_factory=list)  # [B, 5]: errors at the skill's step, PSNRs at Genie's, 1
    clusters: list[int] = field(default_factory=list)

    def add(self, told: RollOut, random: RollOut) -> None:
        """The same stretches, told what was played and told something else."""
        at, delta = (min(step, told.real.shape[1]) - 1 for step in (SKILL_STEP, _DELTA_STEP))
        errors = [mean_squared_errors(each.frames[:, at], told.real[:, at]) for each in (told, random)]
        ratios = [
            psnr(np.maximum(mean_squared_errors(each.frames[:, delta], told.real[:, delta]), ROUNDING_MSE))
            for each in (told, random)
        ]
        self.rows.append(np.stack([*errors, *ratios, np.ones(len(errors[0]))], axis=1))
        self.clusters += told.clusters.tolist()

    def metrics(self, draws: int, seed: int) -> list[Metric]:
        """Controllability skill, and Genie's difference of PSNRs."""
        totals, drawn = cluster_totals(np.concatenate(self.rows), self.clusters, draws, seed)
        cases = Cases(int(totals[-1]), len(set(self.clusters)))
        what = f"controllability skill at step {SKILL_STEP}: 1 - error told the actions / error told random ones"
        if totals[1] == 0:
            return [not_measured("D2", "D", what, "nothing changes, whatever is played")]
        skill = measured(
            *("D2", "D", what),
            drawn_by(lambda each: float(1 - each[0] / each[1]) if each[1] else math.nan, totals, drawn),
            cases,
            better="higher",
            floor=Drawn.exactly(1.0, draws),
            null=Drawn.exactly(0.0, draws),
            null_is=_BLIND,
            seed=seed,
            note=_EXACT,
        )
        told, random = (mean_of(totals, drawn, which, 4) for which in (2, 3))
        delta = measured(
            *("D1", "D", f"Delta-t PSNR at t = {_DELTA_STEP} (Genie): recorded against random actions"),
            Drawn(told.value - random.value, told.draws - random.draws),
            cases,
            unit="dB",
            better="higher",
            seed=seed,
            note="comparable only on the same footage: it grows with how much actions matter there",
        )
        return [skill, delta]


# ---- D3: read the actions back ---------------------------------------------------------------------------------------


@dataclass
class Following:
    """What an inverse-dynamics model reads off dreamt and real frames, collected roll-out by roll-out."""

    model: InverseModel
    dreamt: list[Ints] = field(default_factory=list)  # classes
    real: list[Ints] = field(default_factory=list)
    played: list[Ints] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)

    def add(self, batch: RollOut) -> None:
        """Some rollouts: the steps whose frames are all dreamt, those before them, too."""
        dreamt = self.model.read(batch.frames)
        steps = batch.executed[:, 2 : 2 + dreamt.shape[1]]
        self.played += [np.array([self.model.label(ticks) for ticks in lane], np.int64) for lane in steps]
        self.dreamt += list(dreamt)
        self.real += list(self.model.read(batch.real))
        self.clusters += batch.clusters.tolist()

    def metrics(self, draws: int, seed: int) -> list[Metric]:
        """Macro-F1 on dreamt frames over that on real ones."""
        what = "action following: actions read off dreamt frames over those read off real ones (macro-F1)"
        classes = int(self.model.classes.max()) + 1
        if classes < 2:
            return [not_measured("D3", "D", what, "no action does anything that the others do not", "of real")]
        shifted = [np.roll(row, len(row) // 2) for row in self.dreamt]
        rows = np.stack(
            [
                np.concatenate([_confusion(a, b, classes) for a in (ours, theirs, other)])
                for ours, theirs, other, b in zip(self.dreamt, self.real, shifted, self.played, strict=True)
            ]
        )
        totals, drawn = cluster_totals(rows, self.clusters, draws, seed)
        size = classes**2

        def over_real(which: int) -> Drawn:
            return drawn_by(
                lambda each: _ratio(each[which * size : (which + 1) * size], each[size : 2 * size]), totals, drawn
            )

        real = macro_f1(totals[size : 2 * size].reshape(classes, classes))
        null = over_real(2)
        if not null.value < _READABLE:
            why = (
                f"actions cannot be read off real frames either (macro-F1 {real:.3f}, {null.value:.2f} of it by chance)"
            )
            return [not_measured("D3", "D", what, why, "of real")]
        return [
            measured(
                *("D3", "D", what),
                over_real(0),
                Cases(sum(map(len, self.played)), len(set(self.clusters))),
                unit="of real",
                better="higher",
                floor=Drawn.exactly(1.0, draws),
                null=null,
                null_is="what is read belongs to another moment",
                seed=seed,
                note=f"{classes} classes of actions; macro-F1 {real:.3f} on real frames",
            )
        ]

    def confusions(self, meanings: Sequence[str]) -> list[dict[str, object]]:
        """For the page: what is read off real and off dreamt frames, by what was played."""
        classes = int(self.model.classes.max()) + 1
        labels = [
            " ".join(name.lower() for name, own in zip(meanings, self.model.classes, strict=True) if own == each)
            for each in range(classes)
        ]
        played = np.concatenate(self.played)
        return [
            {
                "title": f"actions read off {side} frames",
                "rows": "played",
                "labels": labels,
                "counts": _confusion(np.concatenate(read), played, classes).reshape(classes, classes).tolist(),
            }
            for side, read in (("real", self.real), ("dreamt", self.dreamt))
        ]


def _confusion(read: Ints, played: Ints, classes: int) -> Floats:
    return np.bincount(played * classes + read, minlength=classes**2).astype(np.float64)


def _ratio(ours: Floats, theirs: Floats) -> float:
    classes = math.isqrt(len(ours))
    ours_f1, theirs_f1 = (macro_f1(each.reshape(classes, classes)) for each in (ours, theirs))
    return ours_f1 / theirs_f1 if theirs_f1 else math.nan


# ---- D4: every action from the same moment ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Forks:
    """Where each of A actions leads, held from S real moments."""

    stretches: list[Stretch]
    real: Frames  # [S, A, H, W, 3]
    dreamt: Frames

    def classes(self) -> Ints:
        """Actions [A] that led to the same real frame from every moment are one class."""
        same = [
            [bool((self.real[:, a] == self.real[:, b]).all()) for b in range(self.real.shape[1])]
            for a in range(self.real.shape[1])
        ]
        first = [row.index(True) for row in same]
        return np.unique(first, return_inverse=True)[1].astype(np.int64)


def fork(dreamer: Dreamer, twin: Twin, stretches: Sequence[Stretch], seed: int) -> Forks:
    """Hold each action in both."""
    real = np.stack([_in_the_twin(twin, each) for each in tqdm(stretches, desc="real forks", unit="start")])
    actions, ticks = twin.game.num_actions, twin.game.ticks_per_step
    dreamt = []
    for place, each in enumerate(tqdm(stretches, desc="dreamt forks", unit="start")):
        # One seed for all actions: they differ by what was played alone.
        state = dreamer.start([each] * actions, [seed + place] * actions)
        for _ in range(HELD):
            step = dreamer.step(state, np.repeat(np.arange(actions)[:, None], ticks, axis=1))
        dreamt.append(step.frames)
    return Forks(list(stretches), real, np.stack(dreamt))


def _in_the_twin(twin: Twin, stretch: Stretch) -> Frames:
    """[A, H, W, 3]; by going back to the moment, or, where a game cannot, by playing up to it again."""
    _bring(twin, stretch)
    try:
        here = twin.clone_state()
    except NotImplementedError:
        return np.stack([_held(_bring(twin, stretch), action) for action in range(twin.game.num_actions)])
    frames = []
    for action in range(twin.game.num_actions):
        twin.restore_state(here)
        frames.append(_held(twin, action))
    return np.stack(frames)


def _bring(twin: Twin, stretch: Stretch) -> Twin:
    frame, _ = twin.replay(stretch.game.reset_seed, stretch.game.executed[: stretch.moment])
    if not np.array_equal(frame, stretch.game.frames[stretch.moment]):
        raise UnfitRecording(
            f"the real game does not show frame {stretch.moment} of recorded game {stretch.game.index}; the recording "
            "was made with another emulator or another version of it: record anew into another --out"
        )
    return twin


def _held(twin: Twin, action: int) -> Frames:
    ticks = np.full(twin.game.ticks_per_step, action)
    for _ in range(HELD):
        frame, _, terminated, truncated, _ = twin.advance(ticks)
        if terminated or truncated:
            break
    return frame


def measure_direction(forks: Forks, eyes: Eyes, draws: int, seed: int) -> list[Metric]:
    """D4: of all legal actions' real frames, is the dream's nearest to that of the action it was told."""
    what = f"counterfactual direction: held {HELD} steps, the dream is nearest to the real frame of its action"
    actions = forks.real.shape[1]
    rows, clusters = [], []
    for stretch, real, dreamt in zip(forks.stretches, forks.real, forks.dreamt, strict=True):
        stacks, ours = (np.stack([eyes.stack(frame[None, None])[0] for frame in frames]) for frames in (real, dreamt))
        same = np.array([[np.array_equal(a, b) for b in stacks] for a in stacks])
        if same.all():
            continue  # no action does anything here
        far = np.stack([eyes.distance(np.broadcast_to(each, stacks.shape), stacks) for each in ours])
        # A dream that shows one picture for all actions is nearest to one of them, and right for that one alone.
        right = np.isclose(far[np.arange(actions), np.arange(actions)], far.min(axis=1), rtol=1e-6, atol=1e-12)
        rows.append([right.sum(), same.sum() / actions, actions])
        clusters.append(stretch.game.index)
    if not rows:
        return [not_measured("D4", "D", what, "no action does anything at any of the starts", "%")]
    totals, drawn = cluster_totals(rows, clusters, draws, seed)
    return [
        measured(
            *("D4", "D", what),
            mean_of(totals, drawn, 0, 2),
            Cases(int(totals[2]), len(set(clusters))),
            unit="%",
            better="higher",
            floor=Drawn.exactly(1.0, draws),
            null=mean_of(totals, drawn, 1, 2),
            null_is="an action's real frame drawn at random",
            seed=seed,
            note=f"{len(rows)} of {len(forks.stretches)} moments at which actions differ",
        )
    ]


def right_actions(forks: Forks, eyes: Eyes) -> Bools:
    """For the page: which of the first moment's actions came out right, [A]."""
    real, dreamt = (
        np.stack([eyes.stack(f[None, None])[0] for f in frames[0]]) for frames in (forks.real, forks.dreamt)
    )
    far = np.stack([eyes.distance(np.broadcast_to(each, real.shape), real) for each in dreamt])
    return np.asarray(np.isclose(np.diag(far), far.min(axis=1), rtol=1e-6, atol=1e-12))
