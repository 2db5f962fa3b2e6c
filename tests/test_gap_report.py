"""The gap report measures itself: the real game in the dream's place is perfect, and every planted fault is caught.

The toy game stands in both places, so that a whole report takes seconds; see `toy_gap` for the faults.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import toy_gap
from agents.policy_file import PolicyRecord, save_policy
from chromium import browser, chromium
from data_gen.games import games
from data_gen.spec import GameSpec
from data_gen.twin import Twin
from evaluation import gap
from evaluation.gap_report.contestants import UnfitZoo, contestants
from evaluation.gap_report.episodes import DamagedTable, Episode, Planned, Table, from_csv, to_csv
from evaluation.gap_report.events import measure_events
from evaluation.gap_report.inverse import InverseModel
from evaluation.gap_report.matches import matches
from evaluation.gap_report.metric import Metric, not_measured
from evaluation.gap_report.pair import UnfitPair, pair
from evaluation.gap_report.play import Watching, play_episodes
from evaluation.gap_report.profile import PROFILES
from evaluation.gap_report.report import GapReport
from evaluation.gap_report.returns import mmrv_by_chance
from evaluation.gap_report.run import OtherRun
from evaluation.gap_report.sides import DreamSide, RealSide, ShuffledSide
from evaluation.gap_report.verdict import RULES, verdicts
from neural_env.command import main as run
from toy_dream import toy_world
from toy_gap import FOLLOWERS, TINY, Follower, faulty_id
from world_model.metrics.intervals import Estimate
from world_model.metrics.lanes import Limits
from world_model.starts import Start, Starts

REAL = toy_gap.register()
_PLAIN = "Toy/Counting-v0"  # no twin
_NEVER = Limits(10**6, 10**6, 10**6, 10**6)


@pytest.fixture(scope="module")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], GapReport]]:
    """The report of a fault on some tracks; one that was asked for before is read from what was played."""
    root = tmp_path_factory.mktemp("gap")

    def of(fault: str, tracks: str) -> GapReport:
        return gap(faulty_id(fault), REAL, FOLLOWERS, TINY, tracks=tracks, out=root / f"{fault}-{tracks}")

    yield of
    shutil.rmtree(root)


# ---- the instrument: perfect where it must be, and not blind ---------------------------------------------------------


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[GapReport, Path]:
    """The real game against itself."""
    out = tmp_path_factory.mktemp("identity") / "run"
    return gap(REAL, REAL, FOLLOWERS, replace(TINY, draws=1000), out=out), out


def test_the_real_game_in_the_dreams_place_closes_every_gap(identity: tuple[GapReport, Path]) -> None:
    """After Holm no score excludes 1, and at least 90 % of the intervals contain it, uncorrected."""
    report, _ = identity
    closed = [metric for metric in report.metrics if metric.gap_closed is not None]
    assert {metric.track for metric in closed} == {"A", "B", "C", "D", "E"}
    assert len(closed) > 20
    contains = [m.gap_closed.low <= 1 <= m.gap_closed.high for m in closed if m.gap_closed is not None]
    assert np.mean(contains) >= 0.9
    assert not [m.key for m in closed if m.p_of_one_holm < 0.05]


def test_what_a_twin_is_told_it_repeats_exactly(identity: tuple[GapReport, Path]) -> None:
    report, _ = identity
    for key in ("C1", "C2.8", "C3", "D2", "D3", "D4", "E1", "E1.dream", "E1.dream.end", "E3", "E4", "E4.sum"):
        assert report[key].gap_closed == Estimate(1, 1, 1, *_size(report[key])), key
    (rewards,) = report.curves["rewards_confused"]
    assert all(
        count == 0 or row == column
        for row, counts in enumerate(rewards["counts"])
        for column, count in enumerate(counts)
    )
    real, dreamt = report.curves["actions_confused"]
    assert real["counts"] == dreamt["counts"]
    assert real["labels"] == ["left", "middle", "right"]


def _size(metric: Metric) -> tuple[int, int]:
    return metric.estimate.count, metric.estimate.clusters


def _closed(report: GapReport, key: str) -> Estimate:
    found = report[key].gap_closed
    assert found is not None, key
    return found


# fault, tracks to run, figures that must leave 1 with their whole interval, figures that must stay at 1
_CAUGHT: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("shuffled actions", "AD", ("A1", "D2", "D3", "D4"), ()),
    ("mirrored actions", "AD", ("A1", "D3", "D4"), ()),
    ("action one step late", "DE", ("D3", "E1.dream.0"), ("D4",)),
    ("frozen frame", "CD", ("C1", "C2.8", "C3", "C6", "D2", "D3", "D4"), ()),
    ("frame one step late", "CE", ("C1", "C2.8"), ("E1", "E1.dream")),
    ("clipped rewards", "AE", ("A1", "A2", "E1", "E4.sum"), ("A3", "E1.dream.end")),
    ("reward one step late", "DE", ("E1.0", "E1.dream.0"), ("D3", "D4", "E1.dream.end")),
    ("phantom rewards", "AE", ("A1", "E1", "E4", "E4.dream"), ("E1.dream.end",)),
    ("lossy frames", "CDE", ("C1", "C2.8", "C6"), ("D4", "E1.dream")),
    ("missing ball", "ACE", ("A1", "C1", "C6"), ("E1.dream",)),
    ("truncation as termination", "B", ("B3.end",), ()),
    ("never ends", "BE", ("B3.end",), ("E1.dream",)),
)


@pytest.mark.parametrize(("fault", "tracks", "caught", "untouched"), _CAUGHT, ids=[row[0] for row in _CAUGHT])
def test_a_planted_fault_is_caught_by_its_track(
    report_of: Callable[[str, str], GapReport],
    fault: str,
    tracks: str,
    caught: tuple[str, ...],
    untouched: tuple[str, ...],
) -> None:
    report = report_of(fault, tracks)
    for key in caught:
        assert _closed(report, key).high < 1, key
    for key in untouched:
        assert _closed(report, key).low <= 1 <= _closed(report, key).high, key


def test_every_fault_is_planted_somewhere() -> None:
    assert {row[0] for row in _CAUGHT} == set(toy_gap.FAULTS)


def test_a_late_frame_gains_nothing_and_a_frozen_one_does_not_move(report_of: Callable[[str, str], GapReport]) -> None:
    """Showing the last frame is what copying it is: exactly 0 dB. A still picture has motion 0."""
    late = report_of("frame one step late", "CE")
    assert late["C1"].estimate == Estimate(0, 0, 0, *_size(late["C1"]))
    assert report_of("frozen frame", "CD")["C6"].estimate.value == 0


def test_a_late_reward_is_right_within_its_lateness(report_of: Callable[[str, str], GapReport]) -> None:
    report = report_of("reward one step late", "DE")
    assert report["E1.0"].estimate.value < 0.8 < 0.9 < report["E1"].estimate.value


# ---- runs ------------------------------------------------------------------------------------------------------------


def _plain(out: Path) -> dict[str, Any]:
    """What a run found, but for how long it took."""
    plain: dict[str, Any] = json.loads((out / "gap.json").read_bytes())
    del plain["took"]
    plain["metrics"] = [metric for metric in plain["metrics"] if metric["track"] != "G"]
    return plain


_FEW = {name: FOLLOWERS[name] for name in ("random", "follow-0.6", "follow-0")}
_SMALL = replace(
    TINY, episodes=5, null_episodes=2, recorded=2, rollouts=6, forced=4, starts=2, inverse_steps=5, draws=50
)


def test_equal_runs_give_equal_bytes_and_a_stopped_one_goes_on_to_the_same(tmp_path: Path) -> None:
    for name in ("one", "other"):
        gap(REAL, REAL, _FEW, _SMALL, tracks="ACDE", out=tmp_path / name)
    episodes = (tmp_path / "one/episodes.csv").read_bytes()
    assert (tmp_path / "other/episodes.csv").read_bytes() == episodes
    assert _plain(tmp_path / "one") == _plain(tmp_path / "other")
    parts = sorted((tmp_path / "other/episodes").iterdir())
    assert len(parts) >= 3
    parts[0].unlink()
    kept = {part: part.stat().st_mtime_ns for part in parts[1:]}
    (tmp_path / "other/gap.json").unlink()
    gap(REAL, REAL, _FEW, _SMALL, tracks="ACDE", out=tmp_path / "other")
    assert (tmp_path / "other/episodes.csv").read_bytes() == episodes
    assert _plain(tmp_path / "one") == _plain(tmp_path / "other")
    assert {part: part.stat().st_mtime_ns for part in kept} == kept, "what was played is played again"
    assert [each.side for each in from_csv(episodes)].count("shuffled") == 6


@pytest.mark.parametrize("max_steps", [None, 10])
def test_the_bar_knows_the_time_left_however_long_episodes_are_and_also_after_a_stop(
    max_steps: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = replace(_SMALL, max_steps=max_steps)
    for least in (0, 60):
        gap(REAL, REAL, _FEW, profile, tracks="A", out=tmp_path)
        told = capsys.readouterr().err.replace("\r", "\n").splitlines()
        bars = [line for line in told if line.startswith(f"{3 * (3 * 5 + 2)} episodes:")]
        assert least <= int(bars[0].split("%")[0].split()[-1]) <= int(bars[-1].split("%")[0].split()[-1]) == 100
        assert bars[-1].endswith("<00:00")
        sorted((tmp_path / "episodes").glob("dream-*"))[0].unlink()


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    gap(REAL, REAL, _FEW, _SMALL, tracks="A", out=tmp_path)
    with pytest.raises(OtherRun, match=r"plan\.json is another run"):
        gap(REAL, REAL, _FEW, _SMALL, tracks="A", out=tmp_path, seed=1)


def test_the_command_measures_a_users_game_with_a_folder_of_policies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in range(3):
        save_policy(tmp_path / f"zoo/always-{action}", PolicyRecord("constant", 3, constant=action))
    save_policy(tmp_path / "zoo/random", PolicyRecord("random", 3))
    monkeypatch.setitem(PROFILES, "smoke", replace(_SMALL, name="smoke"))
    flags = ["--dream", REAL, "--zoo", str(tmp_path / "zoo"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(["gap", "StickyCounting", *flags, "--tracks", "A,B,C,D,E,G"]) == 0
    printed = capsys.readouterr().out
    assert "use for: ranking" in printed
    assert "its track was not asked for" in printed
    plain = json.loads((tmp_path / "out/gap.json").read_bytes())
    assert plain["schema"] == 1
    assert plain["seed"] == 0
    assert set(plain["facts"]["zoo"]["policies"]) == {"always-0", "always-1", "always-2", "random"}
    assert len(plain["facts"]["zoo"]["sha256"]) == 64


@pytest.mark.slow  # two processes that import torch
def test_workers_play_what_one_process_plays(tmp_path: Path) -> None:
    for action in range(3):
        save_policy(tmp_path / f"zoo/always-{action}", PolicyRecord("constant", 3, constant=action))
    for workers in (1, 2):
        gap(REAL, REAL, tmp_path / "zoo", _SMALL, tracks="A", out=tmp_path / str(workers), workers=workers)
    assert (tmp_path / "1/episodes.csv").read_bytes() == (tmp_path / "2/episodes.csv").read_bytes()


def test_a_world_that_learned_nothing_is_recommended_for_nothing(tmp_path: Path) -> None:
    """A dream of random weights goes through every track; the real game is brought to each of its starts."""
    world = toy_world(tmp_path / "world", toy_gap.GAME)
    report = gap("Dream/World-v0", REAL, FOLLOWERS, _SMALL, world=str(world), out=tmp_path / "out")
    assert {each.answer for each in report.verdicts} == {"no"}
    assert report["C1"].estimate.value < 0
    assert report["C1.tokenizer"].estimate.value < report["C1"].floor.value  # type: ignore[union-attr]
    assert report.facts["dream"]["world"]
    assert report.facts["dream"]["sampler"]["temperature"] == 0.5
    assert "beginnings of games of the world" in report.facts["starts"]["how"]


def test_an_id_that_cannot_be_looked_into_is_played(tmp_path: Path) -> None:
    report = gap(_PLAIN, _PLAIN, FOLLOWERS, _SMALL, tracks="ABCDE", out=tmp_path)
    assert report["A3"].is_measured
    assert report["B3.gain"].is_measured
    assert report["C6"].is_measured
    for key in ("C1", "D3", "E1.dream"):
        assert not report[key].is_measured
        assert "cannot be brought to a recorded moment" in report[key].note


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda out: gap(REAL, "Real/Pong-v0", FOLLOWERS, TINY, out=out), UnfitPair, "observation_space of"),
        (
            lambda out: gap(REAL, REAL, FOLLOWERS, TINY, out=out, world="Pong"),
            UnfitPair,
            "Pong is a world of Pong; expected",
        ),
        (lambda out: gap(_PLAIN, _PLAIN, FOLLOWERS, TINY, out=out, world="w"), UnfitPair, "--world goes with a dream"),
        (lambda out: gap(REAL, REAL, None, TINY, out=out), UnfitZoo, "the zoo of StickyCounting has 0 policies"),
        (lambda out: gap(REAL, REAL, {"a": Follower(0)}, TINY, out=out), UnfitZoo, "this zoo has 1 policies"),
        (lambda out: gap(REAL, REAL, out / "none", TINY, out=out), UnfitZoo, "is no folder"),
        (lambda out: gap(REAL, REAL, FOLLOWERS, TINY, out=out, tracks="AX"), ValueError, "no track 'X'"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(
    call: Callable[[Path], GapReport], error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        call(tmp_path)


def test_a_policy_with_other_actions_is_refused(tmp_path: Path) -> None:
    for name in "abc":
        save_policy(tmp_path / name, PolicyRecord("random", 6))
    with pytest.raises(UnfitZoo, match="has 6 actions; this game has 3"):
        contestants(tmp_path, toy_gap.GAME.name, 3)


def test_two_runs_are_compared_and_what_changed_is_said(
    identity: tuple[GapReport, Path], report_of: Callable[[str, str], GapReport], capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault makes worse what it touches, and nothing else."""
    out = identity[1]
    clipped = json.loads((out / "gap.json").read_bytes())
    faulty = json.loads(report_of("clipped rewards", "AE").to_json())
    clipped["metrics"] = faulty["metrics"]
    (out.parent / "clipped.json").write_text(json.dumps(clipped))
    assert run(["gap", "compare", str(out), str(out.parent / "clipped.json")]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["A1"].endswith("worse")
    assert lines["E1"].endswith("worse")
    assert not lines["A3"].endswith(("worse", "better"))
    assert run(["gap", "compare", str(out.parent / "clipped.json"), str(out)]) == 0
    assert "better" in {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}["A1"]


def test_runs_of_different_zoos_are_not_compared(
    identity: tuple[GapReport, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = json.loads((identity[1] / "gap.json").read_bytes())
    plain["facts"]["zoo"]["sha256"] = "0" * 64
    (tmp_path / "gap.json").write_text(json.dumps(plain))
    assert run(["gap", "compare", str(identity[1]), str(tmp_path)]) == 2
    assert "different zoos" in capsys.readouterr().err
    (tmp_path / "gap.json").write_text("{}")
    assert run(["gap", "compare", str(identity[1]), str(tmp_path)]) == 2
    assert "no gap report of schema 1" in capsys.readouterr().err


# ---- starts and lanes ------------------------------------------------------------------------------------------------


def test_both_sides_begin_at_the_same_moment_and_go_on_by_their_own_chance(tmp_path: Path) -> None:
    world = toy_world(tmp_path / "world", toy_gap.GAME)
    env = gymnasium.make("Dream/World-v0", world=str(world))
    dream_spec, starts = env.spec, env.unwrapped.starts  # type: ignore[attr-defined]
    assert dream_spec is not None
    real, dreamt = RealSide(gymnasium.spec(REAL), 2, starts), DreamSide(dream_spec, 2)
    for start, moment in enumerate(starts):
        frames = [real.begin(lane, start, seed=lane) for lane in range(2)]
        assert all(np.array_equal(frame, moment.frames[-1]) for frame in frames)
        dreamt.begin(1, start, seed=5)
        assert dreamt._games._lanes.start_index[1] == start
    step = [real.step([0, 1], np.array([0, 2])).frames for _ in range(6)]
    assert any(not np.array_equal(*frames) for frames in step), "both lanes draw the same stickiness"
    found = matches(pair("Dream/World-v0", REAL, str(tmp_path / "world")), TINY, seed=0)
    assert [starts[place].kind for place in found.starts] == ["beginning"] * len(found.starts)
    for side in (real, dreamt, env):
        side.close()


def test_a_twin_in_the_dreams_place_begins_where_the_dream_would(tmp_path: Path) -> None:
    """So the real games of a report are those of the identity test."""
    world = str(toy_world(tmp_path / "world", toy_gap.GAME))
    for name, dream in (("dream", "Dream/World-v0"), ("twin", REAL)):
        gap(dream, REAL, _FEW, _SMALL, tracks="A", world=world, out=tmp_path / name)
    tables = [from_csv((tmp_path / name / "episodes.csv").read_bytes()) for name in ("dream", "twin")]
    one, other = ([each for each in table if each.side in ("real", "again")] for table in tables)
    assert one == other
    assert len(one) == 2 * 3 * 5
    starts = [[each.start for each in table if each.side == "dream"] for table in tables]
    assert starts[0] == starts[1]
    assert [each for each in tables[0] if each.side == "dream"] != [each for each in tables[1] if each.side == "dream"]


@pytest.mark.parametrize("spec", games(), ids=lambda spec: spec.name)
def test_actions_are_read_off_frames_of_every_game(spec: GameSpec) -> None:
    model = InverseModel(np.arange(spec.num_actions), spec.frame_size)
    read = model.read(np.zeros((2, 6, *spec.frame_size, 3), np.uint8))
    assert read.shape == (2, 3)
    assert read.max() < spec.num_actions


def test_a_game_that_begins_alike_is_played_on_by_its_own_chance() -> None:
    """Doom draws no stickiness: from one emulator seed, real against real would be the same game twice."""
    with closing(Twin("DoomTakeCover")) as twin:
        frame, _ = twin.reset(seed=5)
        starts = Starts([Start(frame[None].copy(), 5, np.zeros((0, twin.game.ticks_per_step), np.int64))])
    side = RealSide(gymnasium.spec("Real/DoomTakeCover-v0"), 2, starts)
    assert all(np.array_equal(side.begin(lane, 0, seed=lane), frame) for lane in range(2))
    shown = [side.step([0, 1], np.array([0, 0])).frames for _ in range(20)]
    side.close()
    assert any(not np.array_equal(*frames) for frames in shown)


def test_a_policy_that_dies_early_in_the_dream_alone_is_named() -> None:
    def episode(side: str, policy: str, place: int, length: int) -> Episode:
        return Episode(side, policy, place, 0, length, "terminated", *[float(length)] * 5, 1, 0, 1.0, -1, 0, 0, 0)

    lengths = {("dream", "good"): 60, ("dream", "poor"): 20}  # 100 and 20 in the real game
    table = Table(
        [
            episode(side, policy, place, lengths.get((side, policy), {"good": 100, "poor": 20}[policy]))
            for side in ("real", "again", "dream")
            for policy in ("good", "poor")
            for place in range(4)
        ],
        ["good", "poor"],
    )
    (found,) = [each for each in measure_events(table, draws=50, seed=0).metrics if each.key == "B2.mean"]
    assert found.estimate.value == pytest.approx(0.4)
    assert found.floor is not None
    assert found.floor.value == 0
    assert "good -40%" in found.note
    assert "poor +0%" in found.note


def _played(lanes: int, max_steps: int | None = None, limits: Limits = _NEVER, dream: str = REAL) -> list[Any]:
    plan = [Planned("dream", name, place, place) for name in ("random", "follow-0") for place in range(3)]
    side = RealSide(gymnasium.spec(dream), lanes, None)
    episodes = play_episodes(side, lanes, plan, FOLLOWERS, max_steps, Watching(None, limits, 0), 0, lambda *_: None)
    side.close()
    return episodes


def test_an_episode_does_not_depend_on_what_is_played_beside_it() -> None:
    assert _played(1) == _played(4)


def test_cut_episodes_are_cut_alike_and_called_so() -> None:
    whole, cut = _played(3), _played(3, max_steps=10)
    assert {each.ended for each in whole} == {"terminated"}
    assert {(each.ended, each.length) for each in cut} == {("cut", 10)}
    assert all(each.total == each.total_16 for each in cut)
    assert all(each.total_16 < each.total for each in whole)


def test_a_picture_that_stands_still_for_too_long_is_dead() -> None:
    limits = Limits(still=5, blank=5, no_ball=5, unreadable=5)
    assert {each.died for each in _played(3, limits=limits)} == {-1}
    assert {each.died for each in _played(3, limits=limits, dream=faulty_id("frozen frame"))} == {6}


def test_shuffled_actions_are_as_frequent_and_no_longer_ones_own() -> None:
    class Taking:
        taken: list[np.ndarray] = []  # noqa: RUF012

        def step(self, lanes: Any, actions: np.ndarray) -> None:
            self.taken.append(actions)

    side: Any = Taking()
    shuffled, wanted = ShuffledSide(side), np.array([0, 0, 0, 2])
    for _ in range(500):
        shuffled.step(range(4), wanted)
    taken = np.array(Taking.taken)
    assert set(np.unique(taken)) == {0, 2}
    assert np.allclose((taken == 2).mean(axis=0), 0.25, atol=0.1)


def test_the_table_is_read_back_and_a_damaged_line_is_named() -> None:
    episodes = _played(2)
    content = to_csv(episodes)
    assert from_csv(content) == episodes
    with pytest.raises(DamagedTable, match="line 3 is no episode"):
        from_csv(content.replace(content.splitlines()[2], b"dream,random,x"))
    with pytest.raises(DamagedTable, match="line 1"):
        from_csv(b"a,b\n")


# ---- verdicts --------------------------------------------------------------------------------------------------------

_GOOD = {"A3": 0.95, "A3.mmrv": 0.05, "E1.dream": 0.98, "E4.dream": 0.5, "D3": 0.97, "A2": -0.05}
_GOOD |= {"C1": 9.0, "C3": 64.0, "C6": 1.02, "C6.dead": 0.0}


def _metrics(**changed: float) -> dict[str, Metric]:
    values = _GOOD | {key.replace("_", "."): value for key, value in changed.items()}
    return {key: Metric(key, "A", key, Estimate(value, 0.9 * value, value, 10, 10)) for key, value in values.items()}


def _answers(metrics: dict[str, Metric]) -> dict[str, str]:
    return {each.use: each.answer for each in verdicts(metrics, mmrv_by_chance=0.4)}


def test_verdicts_follow_the_declared_rules() -> None:
    assert {rule.key for rule in RULES} == set(_GOOD)
    assert _answers(_metrics()) == {"ranking": "yes", "training": "yes", "video": "yes"}
    bad = {"A3": 0.75, "A3_mmrv": 0.41, "E1_dream": 0.5, "E4_dream": 9.0, "D3": 0.8, "A2": -0.2}
    bad |= {"C1": -1.0, "C3": 8.0, "C6": 0.7, "C6_dead": 0.01}
    for key, value in bad.items():
        (use,) = {rule.use for rule in RULES if rule.key == key.replace("_", ".")}
        assert [name for name, answer in _answers(_metrics(**{key: value})).items() if answer == "no"] == [use]


def test_what_was_not_measured_is_not_recommended() -> None:
    metrics = {**_metrics(), "D3": not_measured("D3", "D", "", "")}
    assert _answers(metrics) == {"ranking": "yes", "training": "not measured", "video": "yes"}


def test_the_bar_for_ranks_is_what_chance_beats_once_in_forty() -> None:
    """About 0.39 to 0.40 for twelve policies whose returns are evenly spaced."""
    assert mmrv_by_chance(np.linspace(0, 1, 12), 0.025, seed=0) == pytest.approx(0.39, abs=0.015)


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_page_holds_everything_and_loads_nothing(identity: tuple[GapReport, Path]) -> None:
    report, out = identity
    page = (out / "index.html").read_text()
    sources = re.findall(r"""(?:src|href)=["']([^"']*)""", page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.findall(r"https?://|@import|url\(", page)
    assert "<script" not in page
    for metric in report.metrics:
        assert f"<code>{metric.key}</code>" in page
    for drawn in (
        "policy by policy",
        "ranks, real and dream",
        "gap closed",
        "drift",
        "feature distance",
        "reliability",
        "actions read off dreamt frames",
        "rewards one step from real frames",
    ):
        assert f'aria-label="{drawn}' in page or drawn in page
    assert "prefers-color-scheme: dark" in page
    assert "nan" not in re.sub(r"base64,[^']*", "", page).replace("nano", "").lower()


@pytest.mark.skipif(chromium() is None, reason="needs Chromium")
def test_the_page_opens_from_disk_in_a_browser(identity: tuple[GapReport, Path], tmp_path: Path) -> None:
    """Light and dark differ; on a phone nothing but tables and pictures is wider than the screen."""
    with browser(tmp_path) as page:
        page.call("Network.enable")
        page.open((identity[1] / "index.html").as_uri())
        page.wait_for("document.readyState == 'complete'")
        shown = {}
        for width, scheme in ((1100, "light"), (1100, "dark"), (390, "light")):
            page.resize(width, 900, scheme)
            assert page.ask("document.documentElement.scrollWidth") <= width
            shown[width, scheme] = page.picture()
        assert len(set(shown.values())) == 3
        assert page.ask("document.querySelectorAll('svg').length") >= 6
        assert page.ask("[...document.images].every(image => image.naturalWidth > 0)")
        assert page.ask("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0


def test_the_toy_game_is_what_the_faults_are_planted_in() -> None:
    """Without its fault a faulty twin is the twin: what is caught is the fault."""
    plain, faulty = Twin(toy_gap.GAME), toy_gap.Faulty("none", game=toy_gap.GAME)
    for env in (plain, faulty):
        env.reset(seed=3)
    for action in (0, 2, 1, 1, 0):
        one, other = plain.step(action), faulty.step(action)
        assert np.array_equal(one[0], other[0])
        assert one[1:4] == other[1:4]
