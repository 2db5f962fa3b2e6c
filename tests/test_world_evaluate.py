"""`neural-env world evaluate`: the real game is perfect by its measures, and every planted fault is seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from twin_simulator import Known, TwinSimulator, known_moments

from agents.record_command import RecordConfig, record_game
from data_gen.behaviours import RandomHold
from data_gen.games import game
from data_gen.probes import Probe, probe
from data_gen.recording import Recording
from data_gen.twin import Twin
from evaluation.closed_loop import LaneLog, play, seen
from evaluation.held_out import (
    HeldOutGame,
    UnfitRecording,
    consecutive_stretches,
    held_out_games,
    random_stretches,
)
from evaluation.report import Part, Report, Row, Target, certain
from evaluation.sights import Seconds, Sight, sight
from evaluation.world_control import measure_control
from evaluation.world_forced import Forced, _termination_rows, measure_forced
from evaluation.world_futures import FUTURES_STEPS, measure_futures
from evaluation.world_lanes import lane_policies, lanes_part, recorded_log
from evaluation.world_open_loop import measure_open_loop
from evaluation.world_targets import world_targets
from evaluation.world_tokenizer import measure_tokenizer
from neural_env.command import main as run
from tiny_world import tiny_bundle
from toy_game import COUNTING
from toy_recording import record_toy
from world_model.metrics.intervals import Estimate

_PONG, _REACH, _STEPS = game("Pong"), 8, 32
_MIRRORED = (0, 1, 3, 2, 5, 4)  # left for right


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> list[HeldOutGame]:
    """Three short games of Pong."""
    root = tmp_path_factory.mktemp("pong") / "recording"
    record_game(RecordConfig(root, steps=80, test_episodes=3, validation=0.0, max_episode_steps=80, lanes=3))
    return held_out_games(Recording.open(root), "test", _PONG, None, seed=0)


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    twin = Twin("Pong")
    yield twin
    twin.close()


@pytest.fixture(scope="module")
def known(twin: Twin, games: list[HeldOutGame]) -> Known:
    """The twin at every moment of the games."""
    return known_moments(twin, games, _REACH)


def _own() -> tuple[Probe, str]:
    return probe("Pong"), "own_paddle"


def _sight() -> Sight:
    found = sight("Pong")
    assert found is not None
    return found


def _values(part: Part) -> dict[str, float]:
    return {row.key: row.estimate.value for row in part.rows}


# ---- one step, and many ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["none", "late_frames", "late_rewards"])
def test_one_step_at_a_time_the_real_game_is_perfect(
    games: list[HeldOutGame], twin: Twin, known: Known, fault: str
) -> None:
    faults: dict[str, Any] = {"none": {}, "late_frames": {"late_frames": True}, "late_rewards": {"late_rewards": 2}}
    simulator: Any = TwinSimulator(twin, known, **faults[fault])
    stretches = [each for each in consecutive_stretches(games, 30) if each.moment]  # first frames are all alike
    figures = _values(measure_forced(simulator, stretches, _REACH, batch=4, seed=0))
    if fault == "late_frames":
        assert figures["forced/gain"] == pytest.approx(0)
    else:
        assert figures["forced/gain"] > 15
    assert (figures["forced/reward_f1"] == 1) == (fault != "late_rewards")


def test_a_world_that_foretells_a_quarter_of_the_ends_is_seen() -> None:
    """Its calibration error is a fraction of a percent, as ends are rare."""
    ends = np.zeros(1000, np.bool_)
    ends[249::250] = True
    stretch: Any = SimpleNamespace(terminated=ends)
    probability = np.where(ends, 0.25, 0.0)
    nothing = np.zeros(1000)
    forced = Forced(stretch, nothing, ends, nothing, ends, probability)
    figures = {row.key: row.estimate.value for row in _termination_rows([forced], [0], np.zeros(1000))}
    assert figures["forced/end_calibration"] < 0.005
    assert figures["forced/ends_foretold"] == pytest.approx(0.25)


@pytest.mark.parametrize("fault", ["none", "late_frames", "mirrored", "late_rewards"])
def test_open_loop_the_real_game_is_perfect(games: list[HeldOutGame], twin: Twin, known: Known, fault: str) -> None:
    faults: dict[str, Any] = {
        "none": {},
        "late_frames": {"late_frames": True},
        "mirrored": {"actions": _MIRRORED},
        "late_rewards": {"late_rewards": 2},
    }
    simulator = TwinSimulator(twin, known, **faults[fault])
    stretches = random_stretches(games, _STEPS, count=6, seed=0)
    part = measure_open_loop(simulator, stretches, _sight(), _REACH, batch=5, seed=0)
    figures = _values(part)
    ball = [figures[f"open_loop/ball_within_2_at_{step}"] for step in (1, 8, 32)]
    assert (ball == [1, 1, 1]) == (fault not in ("late_frames", "mirrored"))
    assert (figures["open_loop/own_paddle_within_1_at_32"] == 1) == (fault not in ("late_frames", "mirrored"))
    assert (figures["open_loop/reward_f1_32"] == 1) == (fault not in ("late_rewards", "mirrored"))
    if fault == "none":
        assert figures["open_loop/above_seed_frame"] == _STEPS
        assert len(part.curves["drift"]["value"]) == _STEPS


def test_a_stretch_has_as_much_context_as_there_is(games: list[HeldOutGame]) -> None:
    first, *_, last = consecutive_stretches(games[:1], 30)
    assert len(first.context(_REACH).frames) == 1
    assert len(last.context(_REACH).frames) == _REACH
    assert len(last.context(_REACH).executed) == _REACH - 1
    assert sum(each.steps for each in consecutive_stretches(games, 30)) == sum(map(len, games))
    moments = {(each.game.index, each.moment) for each in random_stretches(games, _STEPS, count=1000, seed=0)}
    assert moments == {(each.index, moment) for each in games for moment in range(len(each) - _STEPS + 1)}


# ---- many futures of one moment --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [False, True])
def test_all_futures_of_the_real_game_are_what_was_recorded(
    games: list[HeldOutGame], twin: Twin, known: Known, fault: bool
) -> None:
    """The executed ticks leave nothing to chance."""
    good, bad = TwinSimulator(twin, known), TwinSimulator(twin, known, late_frames=True)
    simulators: Any = {2: bad if fault else good, 1: bad}
    stretches = random_stretches(games, FUTURES_STEPS, count=6, seed=0)
    part = measure_futures(simulators, lambda frames: frames, stretches, _REACH, batch=40, seed=0)
    figures = _values(part)
    assert figures["futures/gain"] == (0 if fault else 1)
    assert (figures["futures/energy_2_evaluations"] == 0) == (not fault)
    assert (part.curves["ranks"]["value"][-1] == 1) == fault


# ---- control ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_real_paddle_obeys_and_a_mirrored_one_does_not(
    games: list[HeldOutGame], twin: Twin, known: Known, mirrored: bool
) -> None:
    simulator = TwinSimulator(twin, known, actions=_MIRRORED if mirrored else range(6))
    starts = random_stretches(games, 8, count=6, seed=0)
    part = measure_control(simulator, twin, starts, *_own(), _REACH, batch=20, seed=0)
    figures = _values(part)
    assert figures["control/noop"] == 1
    right = figures["control/right_direction"]
    assert right < 0.5 if mirrored else right == 1  # a paddle at its end cannot go either way
    assert part.rows[0].estimate.count > 10


def test_a_twin_that_does_not_show_the_recorded_frame_is_refused(
    games: list[HeldOutGame], twin: Twin, known: Known
) -> None:
    wrong = replace(games[0], executed=np.flip(games[0].executed, axis=0))
    starts = random_stretches([wrong], 8, count=3, seed=0)
    with pytest.raises(UnfitRecording, match="does not show frame"):
        measure_control(TwinSimulator(twin, known), twin, starts, *_own(), _REACH, batch=8, seed=0)


# ---- tokenizer -------------------------------------------------------------------------------------------------------


class _Tokenizer:
    """Gives back what it got; or without anything white, or with a second ball."""

    grid, width = (1, 1), 1

    def __init__(self, fault: str) -> None:
        self._fault = fault

    def encode(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        return pixels_BCHW

    def decode(self, latents_BND: torch.Tensor) -> torch.Tensor:
        pixels = latents_BND.clone()
        if self._fault == "no_ball":
            field = pixels[:, :, 14:77]
            field[:] = torch.where(field.amin(1, keepdim=True) > 0.25, field[:, :, :1, :1], field)
        if self._fault == "two_balls":
            pixels[:, :, 20:22, 40:42] = pixels[:, :, 60:62, 30:32] = 1.0
        return pixels


@pytest.mark.parametrize("fault", ["none", "no_ball", "two_balls"])
def test_a_tokenizer_that_loses_nothing_is_perfect(games: list[HeldOutGame], fault: str) -> None:
    stretches = random_stretches(games, 1, count=60, seed=0)
    figures = _values(measure_tokenizer(_Tokenizer(fault), stretches, _sight(), batch=32, device="cpu"))
    for name in ("psnr", "psnr_pooled", "psnr_moving", "psnr_moving_pooled"):
        if fault != "two_balls" or "moving" not in name:  # the second ball lies still
            assert (figures[f"tokenizer/{name}"] > 58) == (fault == "none")
    assert (figures["tokenizer/ball"] == 1) == (fault != "no_ball")
    assert (figures["tokenizer/ghosts"] > 0.9) == (fault == "two_balls")


# ---- long dreams -----------------------------------------------------------------------------------------------------


class _Noop:
    """Loses 0 to 21."""

    def __call__(self, frames: Any, lanes: Any) -> Any:
        return np.zeros(len(lanes), np.int64)

    def reset(self, lanes: Any, seeds: Any) -> None:
        pass


@pytest.fixture(scope="module")
def lost() -> LaneLog:
    """A lane of the real game, lost by doing nothing, and the beginning of the next game."""
    envs = SyncVectorEnv([lambda: Twin("Pong")], autoreset_mode=AutoresetMode.SAME_STEP)
    (log,) = play(envs, [_Noop()], steps=800, sight=_sight(), seed=0)
    envs.close()
    return log


def _judged(*logs: LaneLog, seen: Sight | None = None) -> dict[str, Row]:
    return {row.key: row for row in lanes_part(logs, [], _PONG, seen or _sight()).rows}


def test_a_lane_of_the_real_game_lives_and_its_score_is_right(lost: LaneLog, games: list[HeldOutGame]) -> None:
    assert lost.terminated.sum() == 1
    assert lost.restarted.sum() == 2
    rows = _judged(lost, *(recorded_log(each, _sight()) for each in games))
    assert rows["lanes/dead"].estimate.value == 0
    assert rows["lanes/score_follows"].estimate.value == 1
    assert rows["lanes/score_follows"].estimate.count >= 20
    assert rows["lanes/score_phantoms"].estimate.value == 0
    assert (rows["lanes/ends"].estimate.value, rows["lanes/ends"].estimate.count) == (1, 1)


def test_what_is_wrong_with_a_lane_is_seen(lost: LaneLog) -> None:
    silent = lost._replace(rewards=np.zeros_like(lost.rewards))
    assert _judged(silent)["lanes/score_phantoms"].estimate.value > 10
    late = lost._replace(rewards=np.roll(np.where(lost.terminated, 0, lost.rewards), 3))
    assert _judged(late)["lanes/score_follows"].estimate.value == 0
    early = lost._replace(terminated=lost.terminated.copy(), restarted=lost.restarted.copy())
    early.terminated[300], early.restarted[301] = True, True
    early.rewards[301] = 0
    assert _judged(early)["lanes/ends"].estimate.value < 1
    for name, value in (("changed", False), ("blank", True), ("ball", False), ("readable", False)):
        dead = lost._replace(**{name: np.full(len(lost.rewards), value)})
        assert _judged(lost, dead)["lanes/dead"].estimate.value == 0.5
    few = replace(_sight(), seconds=Seconds(no_ball=0.1))
    assert "no ball 1" in _judged(lost, seen=few)["lanes/dead"].note


def test_lanes_are_played_by_their_own_policies(games: list[HeldOutGame]) -> None:
    policies = lane_policies(_PONG)
    assert len(policies) > 10
    assert isinstance(policies[0], RandomHold)
    assert len(lane_policies(COUNTING)) == 1
    envs = SyncVectorEnv([lambda: Twin(COUNTING)] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    logs = play(envs, [RandomHold(3), _Noop()], steps=100, sight=None, seed=0)
    assert [len(log.rewards) for log in logs] == [101 + int(log.restarted.sum()) - 1 for log in logs]
    for log in logs:
        assert log.restarted.sum() >= 3  # a game has 20 to 40 steps
        assert (log.terminated[:-1] == log.restarted[1:]).all()
        assert (log.rewards[log.restarted] == 0).all()
    envs.close()


# ---- the report ------------------------------------------------------------------------------------------------------


def test_a_target_is_met_by_the_figure_or_by_the_whole_interval() -> None:
    estimate = Estimate(0.5, 0.4, 0.6, 10, 10)
    assert Row("a", "a", estimate).verdict == "reported"
    assert Row("a", "a", certain(float("nan"))).verdict == "not measured"
    for target, verdict in (
        (Target(least=0.45), "passed"),
        (Target(least=0.45, whole_interval=True), "missed"),
        (Target(most=0.45), "missed"),
        (Target(most=0.6, whole_interval=True), "passed"),
    ):
        assert Row("a", "a", estimate).aimed_at({"a": target}).verdict == verdict


def test_a_report_is_strict_json() -> None:
    report = Report("A world", {}, [Row("a", "a", certain(float("nan")))], {"curve": [float("inf"), 1.0]})
    plain = json.loads(report.to_json())
    assert plain["rows"][0]["value"] is None
    assert plain["curves"]["curve"] == [None, 1.0]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world of random weights, and a recording of its game."""
    folder = tmp_path_factory.mktemp("toy")
    record_toy(folder / "recording")
    tiny_bundle(folder / "world", COUNTING.replace(repeat_action_probability=0.25))
    return folder


def _evaluate(folder: Path, *more: str) -> list[str]:
    places = ["--world", str(folder / "world"), "--data", str(folder / "recording"), "--out", str(folder / "report")]
    sizes = ["--profile", "quick", "--lanes", "2", "--lane-steps", "20"]
    return ["world", "evaluate", *places, *sizes, *more]


def test_the_command_measures_a_game_that_nobody_can_read(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(_evaluate(toy, "--sampling.reward", "mode")) == 0
    assert "0 of 0 targets reached" in capsys.readouterr().out
    report = json.loads((toy / "report/report.json").read_text())
    assert "reward mode" in report["facts"]["sampling"]
    rows = {row["key"]: row for row in report["rows"]}
    assert {"tokenizer/psnr_moving", "forced/gain", "open_loop/gain_8", "futures/gain", "lanes/dead"} <= set(rows)
    assert rows["forced/gain"]["clusters"] == 3
    assert not any("ball" in key or key.startswith("control") for key in rows)
    markdown = (toy / "report/report.md").read_text()
    assert all(row["what"] in markdown for row in report["rows"])
    for picture in ("drift.png", "ranks.png", "termination.png"):
        assert picture in markdown
        assert (toy / "report" / picture).stat().st_size > 1000


def test_another_games_recording_is_refused(toy: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = COUNTING.replace(name="Other")
    tiny_bundle(tmp_path / "world", other)
    assert run(_evaluate(toy, "--world", str(tmp_path / "world"))) == 2
    assert "Counting" in capsys.readouterr().err


def test_a_dream_of_doom_without_fireballs_is_dead() -> None:
    """Everything else in it may move: what an agent has to dodge is gone."""
    found = sight("DoomTakeCover")
    assert found is not None
    frames = np.random.default_rng(0).integers(0, 120, (400, 72, 96, 3), np.uint8)
    frames[:50, 30:33, 50:53] = (255, 240, 120)
    blank, ball, readable, own, other = seen(frames, found)
    assert (readable.all(), ball[:50].all(), ball[50:].any()) == (True, True, False)
    columns = (np.zeros(400), np.zeros(400, bool), np.arange(400) == 0, np.ones(400, bool))
    row, *_ = lanes_part([LaneLog(*columns, blank, ball, readable, own, other)], [], game("DoomTakeCover"), found).rows
    assert row.key == "lanes/dead"
    assert row.estimate.value == 1
    assert "the first at step 181" in row.note  # 15 seconds later


@pytest.mark.parametrize("name", ["Pong", "DoomTakeCover"])
def test_every_target_belongs_to_a_row(name: str) -> None:
    """Targets go by the keys of rows; one that belongs to none would never be missed."""
    written = Path(measure_open_loop.__code__.co_filename).parent
    sources = "".join(file.read_text() for file in written.glob("*.py") if file.name != "world_targets.py")
    fixed = [key for key in world_targets(name) if not key.startswith(("open_loop/", "tokenizer/psnr"))]
    assert len(fixed) > 4
    assert [key for key in fixed if f'"{key}"' not in sources] == []
