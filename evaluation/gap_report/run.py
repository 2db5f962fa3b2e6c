"""The whole report: play, record, compare, judge, write.

The folder of a run holds plan.json (what is measured: a run that was stopped goes on, another one is refused), the
episodes, the recording, and at the end gap.json, episodes.csv and index.html.
"""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from data_gen.atomic import sweep_temporary, write_atomically
from data_gen.behaviours import RandomHold
from data_gen.plan import RANDOM_HOLD, RecordingPlan
from data_gen.policy import Policy
from data_gen.recorder import record
from data_gen.recording import Recording
from data_gen.spec import GameSpec
from evaluation.gap_report.contestants import Contestant, Playing, contestants, spread, zoo_sha256
from evaluation.gap_report.control import (
    HELD,
    SKILL_STEP,
    Following,
    Skill,
    fork,
    measure_direction,
    right_actions,
)
from evaluation.gap_report.dreamers import TwinDreamer, WorldDreamer, dreamer_of, is_twin, twin_of
from evaluation.gap_report.episodes import Table, to_csv
from evaluation.gap_report.events import measure_events
from evaluation.gap_report.eyes import Eyes, eyes
from evaluation.gap_report.frames import Drift, ForcedGain, measure_lanes
from evaluation.gap_report.gather import Setting, gather, parts
from evaluation.gap_report.inverse import InverseModel
from evaluation.gap_report.matches import Matches, matches
from evaluation.gap_report.metric import TRACKS, Findings, Metric, not_measured
from evaluation.gap_report.outcomes import Outcomes, measure_survival
from evaluation.gap_report.page import write_page
from evaluation.gap_report.pictures import Worst, fan
from evaluation.gap_report.profile import Profile
from evaluation.gap_report.report import GapReport, digest
from evaluation.gap_report.returns import means, measure_returns, mmrv_by_chance
from evaluation.gap_report.rollouts import RollOut, random_ticks, roll_outs
from evaluation.gap_report.sides import dream_options, is_dream
from evaluation.gap_report.speed import measure_speed
from evaluation.gap_report.transfer import measure_transfer
from evaluation.gap_report.verdict import verdicts
from evaluation.held_out import HeldOutGame, Stretch, held_out_games, random_stretches
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from world_model.metrics.intervals import Ints
from world_model.metrics.resampling import holm

_PLAYED = frozenset("ABCE")  # tracks that look at the table of episodes
_COMPARED = frozenset("CDE")  # tracks that look at recorded games
_FORCED_STEPS = 16
_PACKAGES = ("neural-env", "ale-py", "gymnasium", "numpy", "torch")


class UnfitPair(ValueError):
    """Two environments that cannot be compared; the message says why."""


class OtherRun(ValueError):
    """The folder holds another run."""


@dataclass(frozen=True)
class Pair:
    """What is compared."""

    dream: EnvSpec
    real: EnvSpec
    game: str  # its name, for zoo, eyes and sight
    num_actions: int
    spec: GameSpec | None  # where the real one is a twin


def pair(dream: str, real: str, world: str | None) -> Pair:
    """The two ids, found to have the same spaces; both are made once for that."""
    dream_spec, real_spec = (copy.deepcopy(gymnasium.spec(each)) for each in (dream, real))
    if world is not None:
        if not is_dream(dream_spec):
            raise UnfitPair(f"--world goes with a dream's id; {dream} takes none")
        dream_spec.kwargs["world"] = world
    one, other = (gymnasium.make(each, disable_env_checker=True) for each in (dream_spec, real_spec))
    try:
        for name in ("observation_space", "action_space"):
            ours, theirs = getattr(one, name), getattr(other, name)
            if ours != theirs:
                raise UnfitPair(f"{name} of {dream} is {ours}, that of {real} is {theirs}; expected the same")
        if not isinstance(one.action_space, gymnasium.spaces.Discrete):
            raise UnfitPair(f"{dream} has actions {one.action_space}; expected Discrete")
        spec = getattr(other.unwrapped, "game", None) if is_twin(real_spec) else None
        name = spec.name if spec is not None else real_spec.name
        return Pair(dream_spec, real_spec, name, int(one.action_space.n), spec)
    finally:
        one.close()
        other.close()


def measure(
    compared: Pair,
    zoo: Path | Mapping[str, Playing] | None,
    profile: Profile,
    tracks: Sequence[str],
    folder: Path,
    seed: int,
    workers: int,
) -> GapReport:
    """All figures of these tracks; written to `folder`, and returned."""
    began = time.perf_counter()
    members = spread(contestants(zoo, compared.game, compared.num_actions), profile.policies)
    found = matches(compared.dream, profile, seed)
    facts = _facts(compared, members, found, profile, seed)
    _begin(folder, {**facts, "tracks": list(tracks), "seed": seed})
    print(f"seed {seed}; {found.how}", flush=True)
    parts_found = [*_from_episodes(compared, members, found, profile, tracks, folder, seed, workers)]
    parts_found += _from_recorded(compared, members, profile, tracks, folder, seed)
    if "F" in tracks:
        parts_found.append(Findings(measure_transfer()))
    if "G" in tracks:
        parts_found.append(
            Findings(measure_speed(compared.dream, compared.real, found, compared.num_actions, profile.timed))
        )
    metrics = _corrected([metric for part in parts_found for metric in part.metrics])
    curves = {name: curve for part in parts_found for name, curve in part.curves.items()}
    threshold = float(curves.pop("mmrv_by_chance", np.nan))
    report = GapReport(
        compared.dream.id,
        compared.real.id,
        compared.game,
        profile.name,
        tuple(tracks),
        seed,
        {**facts, "mmrv_by_chance": threshold},
        metrics,
        verdicts({metric.key: metric for metric in metrics}, threshold),
        curves,
        time.perf_counter() - began,
    )
    write_atomically(folder / "gap.json", report.to_json())
    pictures = {name: picture for part in parts_found for name, picture in part.pictures.items()}
    write_page(report, pictures, folder / "index.html")
    return report


def _corrected(metrics: list[Metric]) -> tuple[Metric, ...]:
    """In order of their tracks, with Holm's correction over all gap-closed scores."""
    ordered = sorted(metrics, key=lambda each: list(TRACKS).index(each.track))
    corrected = holm([each.p_of_one for each in ordered])
    return tuple(replace(each, p_of_one_holm=float(p)) for each, p in zip(ordered, corrected, strict=True))


# ---- the folder ----------------------------------------------------------------------------------------------------


def _facts(compared: Pair, members: list[Contestant], found: Matches, profile: Profile, seed: int) -> dict[str, Any]:
    return {
        "dream": {"id": compared.dream.id, **_inside(compared.dream)},
        "real": {"id": compared.real.id, "game": None if compared.spec is None else compared.spec.to_dict()},
        "zoo": {"sha256": zoo_sha256(members), "policies": {each.name: each.sha256 for each in members}},
        "sizes": asdict(profile),
        "starts": {"how": found.how, "first": list(found.starts[:4])},
        "actions": "policies draw or take the best as their records say, alike on every side",
        "versions": {package: version(package) for package in _PACKAGES},
    }


def _inside(spec: EnvSpec) -> dict[str, Any]:
    """World and sampler of a dream."""
    if not is_dream(spec):
        return {"world": None, "sampler": None}
    dream = Dream(DreamOptions.of(dream_options(spec)))
    sampler = asdict(dream.options.sampling(dream.shared.sampling))
    return {
        "world": dream.shared.digest,
        "sampler": sampler,
        "sampler_sha256": digest(json.dumps(sampler, sort_keys=True).encode()),
    }


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sweep_temporary(folder)
    content = (json.dumps(plan, indent=1, sort_keys=True) + "\n").encode()
    file = folder / "plan.json"
    if file.exists() and file.read_bytes() != content:
        raise OtherRun(f"{file} is another run (other ids, world, zoo, seed, sizes or versions); choose another --out")
    write_atomically(file, content)


# ---- from episodes -------------------------------------------------------------------------------------------------


def _from_episodes(
    compared: Pair,
    members: list[Contestant],
    found: Matches,
    profile: Profile,
    tracks: Sequence[str],
    folder: Path,
    seed: int,
    workers: int,
) -> list[Findings]:
    if not _PLAYED & set(tracks):
        return []
    setting = Setting(tuple(members), compared.game, profile.max_steps, profile.watched, seed)
    todo = parts(compared.dream, compared.real, found, members, profile)
    episodes = gather(todo, setting, folder / "episodes", workers)
    write_atomically(folder / "episodes.csv", to_csv(episodes))
    table = Table(episodes, [each.name for each in members])
    findings = []
    if "A" in tracks:
        findings.append(measure_returns(table, members, profile.draws, seed))
        real = means(table, 1, seed).value["real"]
        findings.append(Findings(curves={"mmrv_by_chance": mmrv_by_chance(real, 0.025, seed)}))
    if "B" in tracks:
        findings.append(measure_events(table, profile.draws, seed))
    if "C" in tracks:
        findings.append(Findings(measure_lanes(table, profile.draws, seed)))
    if "E" in tracks:
        findings.append(Findings(measure_survival(table)))
    return findings


# ---- from recorded games -------------------------------------------------------------------------------------------


def _from_recorded(
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
        rewards = foretold.reward_metrics("E1", "one step from real frames", profile.draws, seed)
        findings += [Findings(rewards), with_ends.calibration(profile.draws, seed)]
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
        findings.append(Findings([*skill.metrics(profile.draws, seed), *following.metrics(profile.draws, seed)]))
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
