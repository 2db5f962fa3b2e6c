"""Tracks C, D and E where they look at recorded games: what the dream makes of moments that really were."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_gen.behaviours import RandomHold
from data_gen.plan import RANDOM_HOLD, RecordingPlan
from data_gen.policy import Policy
from data_gen.recorder import record
from data_gen.recording import Recording
from data_gen.spec import GameSpec
from evaluation.gap_report.contestants import Contestant
from evaluation.gap_report.control import (
    HELD,
    SKILL_STEP,
    Following,
    Skill,
    fork,
    measure_direction,
    right_actions,
)
from evaluation.gap_report.dreamers import TwinDreamer, WorldDreamer, dreamer_of, twin_of
from evaluation.gap_report.eyes import Eyes, eyes
from evaluation.gap_report.frames import Drift, ForcedGain
from evaluation.gap_report.inverse import InverseModel
from evaluation.gap_report.metric import Findings, not_measured
from evaluation.gap_report.outcomes import Outcomes
from evaluation.gap_report.pair import Pair
from evaluation.gap_report.pictures import Worst, fan
from evaluation.gap_report.profile import Profile
from evaluation.gap_report.rollouts import RollOut, random_ticks, roll_outs
from evaluation.held_out import HeldOutGame, Stretch, held_out_games, random_stretches
from world_model.metrics.intervals import Ints

_COMPARED = frozenset("CDE")
_FORCED_STEPS = 16


def from_recorded(
    compared: Pair, members: list[Contestant], profile: Profile, tracks: Sequence[str], folder: Path, seed: int
) -> list[Findings]:
    """Tracks C, D and E, where the dream can be looked into and the real game replayed."""
    wanted = [track for track in tracks if track in _COMPARED]
    if not wanted:
        return []
    dreamer = dreamer_of(compared.dream)
    if dreamer is None or compared.spec is None:
        which = compared.dream.id if dreamer is None else compared.real.id
        why = f"{which} cannot be brought to a recorded moment and told which ticks to play"
        places = {"C": ("C1", "C3"), "D": ("D2", "D3", "D4"), "E": ("E1.dream", "E4.dream")}
        return [Findings([not_measured(key, track, key, why) for track in wanted for key in places[track]])]  # type: ignore[arg-type]
    try:
        shown, known = _recorded(compared.spec, members, profile, folder, seed)
        return _compared(compared, dreamer, shown, known, profile, wanted, seed)
    finally:
        if isinstance(dreamer, TwinDreamer):
            dreamer.close()


def _recorded(
    spec: GameSpec, members: list[Contestant], profile: Profile, folder: Path, seed: int
) -> tuple[list[HeldOutGame], list[HeldOutGame]]:
    """Games of every policy and of random-hold: those to measure on, and those that an inverse model may learn from."""
    playing = {each.name: each for each in members}

    def make_policy(name: str, epsilon: float) -> Policy:
        return RandomHold(spec.num_actions) if name == RANDOM_HOLD else playing[name].load()

    names = {RANDOM_HOLD: "", **{each.name: each.sha256 for each in members if each.name != RANDOM_HOLD}}
    plan = RecordingPlan(
        game=spec,
        policies=names,
        held_out={},
        epsilons=(0.0,),
        steps=0,
        test_episodes=len(names) * profile.recorded,
        validation=0.0,
        seed=seed,
        lanes=profile.recorded,
        max_episode_steps=profile.recorded_steps,
    )
    record(plan, make_policy, folder / "recording")
    games = held_out_games(Recording.open(folder / "recording"), "test", spec, None, seed)
    # Every second game of each policy teaches the inverse model, and is not measured on.
    return games[::2], games[1::2]


def _compared(
    compared: Pair,
    dreamer: WorldDreamer | TwinDreamer,
    shown: list[HeldOutGame],
    known: list[HeldOutGame],
    profile: Profile,
    tracks: Sequence[str],
    seed: int,
) -> list[Findings]:
    findings, seen = [], eyes(compared.game)
    if {"C", "E"} & set(tracks):
        findings += _foretold(dreamer, shown, profile, tracks, seed)
    classes = None
    if "D" in tracks:
        forked, classes = _forked(compared, dreamer, shown, seen, profile, seed)
        findings.append(forked)
    findings += _left_alone(compared, dreamer, shown, known, seen, classes, profile, tracks, seed)
    return findings


def _foretold(
    dreamer: WorldDreamer | TwinDreamer, shown: list[HeldOutGame], profile: Profile, tracks: Sequence[str], seed: int
) -> list[Findings]:
    """One step at a time."""
    gain, foretold, with_ends, findings = ForcedGain.empty(), Outcomes.empty(), Outcomes.empty(), []
    steps = _steps(shown, _FORCED_STEPS)
    for batch in roll_outs(
        dreamer, random_stretches(shown, steps, profile.forced, seed), seed, "one step at a time", forced=True
    ):
        gain.add(batch, dreamer)
        foretold.add(batch)
        with_ends.add(batch)
    for batch in roll_outs(dreamer, _last(shown, steps, profile.forced), seed, "ends, one step at a time", forced=True):
        with_ends.add(batch)
    if "C" in tracks:
        findings.append(Findings(gain.metrics(profile.draws, seed)))
    if "E" in tracks:
        where = "one step from real frames"
        rewards = foretold.reward_metrics("E1", where, profile.draws, seed)
        findings.append(Findings(rewards, {"rewards_confused": [foretold.confusion(where)]}))
        findings.append(with_ends.calibration(profile.draws, seed))
    return findings


def _forked(
    compared: Pair,
    dreamer: WorldDreamer | TwinDreamer,
    shown: list[HeldOutGame],
    seen: Eyes,
    profile: Profile,
    seed: int,
) -> tuple[Findings, Ints]:
    """Every action from the same moments, and which actions can be told apart by what comes of them."""
    assert compared.spec is not None
    twin = twin_of(compared.real)
    try:
        forks = fork(dreamer, twin, random_stretches(shown, _steps(shown, HELD), profile.starts, seed), seed)
    finally:
        twin.close()
    pictures = {"fan": fan(forks, right_actions(forks, seen), compared.spec.action_meanings)}
    return Findings(measure_direction(forks, seen, profile.draws, seed), pictures=pictures), forks.classes()


def _left_alone(
    compared: Pair,
    dreamer: WorldDreamer | TwinDreamer,
    shown: list[HeldOutGame],
    known: list[HeldOutGame],
    seen: Eyes,
    classes: Ints | None,
    profile: Profile,
    tracks: Sequence[str],
    seed: int,
) -> list[Findings]:
    """Open loop."""
    assert compared.spec is not None
    drift, dreamt, with_ends = Drift.empty(seen), Outcomes.empty(), Outcomes.empty()
    worst, findings, steps = Worst(), [], _steps(shown, profile.horizon)
    windows = random_stretches(shown, steps, profile.rollouts, seed)
    skill, following = Skill(), None
    blind: Iterable[RollOut | None] = itertools.repeat(None)
    if classes is not None:
        model = InverseModel(classes, compared.spec.frame_size)
        model.train(known, profile.inverse_steps, seed)
        following = Following(model)
        short = [replace(each, steps=min(SKILL_STEP, each.steps)) for each in windows]
        ticks = random_ticks(short, compared.num_actions, seed)
        blind = list(roll_outs(dreamer, short, seed, "random actions", executed=ticks))
    for batch, random in zip(roll_outs(dreamer, windows, seed, "open loop"), blind, strict=False):
        worst.add(batch, drift.add(batch))
        dreamt.add(batch)
        with_ends.add(batch)
        if following is not None and random is not None:
            skill.add(batch, random)
            following.add(batch)
    if "C" in tracks:
        found = drift.findings(profile.draws, seed)
        findings.append(replace(found, pictures={"worst": worst.picture(compared.spec.render_fps)}))
    if following is not None:
        metrics = [*skill.metrics(profile.draws, seed), *following.metrics(profile.draws, seed)]
        confused = following.confusions(compared.spec.action_meanings)
        findings.append(Findings(metrics, {"actions_confused": confused}))
    if "E" in tracks:
        for batch in roll_outs(dreamer, _last(shown, steps, profile.rollouts), seed, "ends"):
            with_ends.add(batch)
        where = "on dreamt frames"
        rewards = dreamt.reward_metrics("E1.dream", where, profile.draws, seed)
        findings.append(Findings([*rewards, *with_ends.end_metrics("E1.dream", where, profile.draws, seed)]))
    return findings


def _last(games: Sequence[HeldOutGame], steps: int, count: int) -> list[Stretch]:
    """The last steps of games that came to their end: windows drawn at random hardly ever hold one."""
    ended = [each for each in games if each.terminated[-1] and len(each) >= steps]
    return [Stretch(each, len(each) - steps, steps) for each in ended[:count]]


def _steps(games: Sequence[HeldOutGame], wanted: int) -> int:
    """Fewer where games are short."""
    return max(4, min(wanted, int(np.median([each.last_shown for each in games])) // 2))
