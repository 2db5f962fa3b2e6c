"""`neural-env bench world`: what it counts, and what it makes of what was timed. No test here waits for a clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_gen.games import _GAMES
from evaluation import step_time
from evaluation.bench_world import BenchWorldConfig, WorldSpeed, measure_speed
from evaluation.step_time import constant_cost
from neural_env.command import main as run
from tiny_world import tiny_bundle, tiny_config
from toy_game import COUNTING
from world_model.sampling_changes import SamplingChanges
from world_model.simulator import Context
from world_model.size_limits import lane_bytes

_CONTEXT = Context(np.zeros((1, 36, 36, 3), np.uint8), np.zeros((0, 2), np.int64))


@pytest.fixture(autouse=True)
def _known_game(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy game is known here, as a user's own would be."""
    monkeypatch.setitem(_GAMES, COUNTING.name, COUNTING)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bench") / "world")


def test_the_command_prints_json(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_time, "_TURNS", 3)
    flags = ["--lanes", "1", "3", "--turns", "1", "--seconds", "0.01", "--late-step", "110", "--json"]
    assert run(["bench", "world", "--world", str(bundle), *flags]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["evaluations_per_frame"] == 3
    assert plain["constant_cost"]["count"] == 3
    assert list(plain["emulators"]) == ["twin"]  # the toy game is no Atari game
    for lanes in ("1", "3"):
        assert plain["world"][lanes]["steps_per_second"] > 0
        assert set(plain["world"][lanes]["ratios"]) == {"twin"}
    held = plain["state_bytes_per_lane"] - lane_bytes(tiny_config().dynamics, 9, 16)
    assert 0 < held < 10_000  # beside the memory: latents and a generator


def test_the_command_prints_a_table(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--lanes", "2", "--turns", "1", "--seconds", "0.01", "--late-step", "0", "--sampling.steps", "3"]
    assert run(["bench", "world", "--world", str(bundle), *flags]) == 0
    printed = capsys.readouterr().out
    assert "world, 2 lanes" in printed
    assert "3 evaluations a frame" in printed


def test_more_evaluations_cost_more_operations(bundle: Path) -> None:
    few, many = (
        measure_speed(BenchWorldConfig(str(bundle), (1,), 1, 0.0, 0, sampling=SamplingChanges(steps=steps)))
        for steps in (2, 5)
    )
    assert many.flops_per_step > few.flops_per_step
    assert (few.evaluations_per_frame, many.evaluations_per_frame) == (2, 5)


def test_ratios_are_of_the_same_turn() -> None:
    """A machine that slows down in the midst of it slows both sides of a ratio."""
    rates = {"world, 8 lanes": [100.0, 50.0, 10.0], "twin": [200.0, 100.0, 20.0], "matrix product": [1e6, 5e5, 1e5]}
    rates["vector env, 8 lanes"] = [90.0, 45.0, 9.0]
    speed = WorldSpeed(rates, (8,), 1000, 1, 1, "float32", None)
    assert speed.ratio("world, 8 lanes", "twin") == 0.5
    assert speed.share_of_peak(8) == pytest.approx(0.1)
    assert speed.rate("twin") == 100
    assert "0.500 of one twin" in speed.to_text()
    assert "0.900 of the bare world" in speed.to_text()


@dataclass
class _Age:
    """The state of a lane that knows how old it is."""

    steps: int = 0

    def clone(self) -> _Age:
        return _Age(self.steps)


class _Clock:
    """Goes on only when a step is made; late steps take longer, if so wanted."""

    def __init__(self, late_seconds: float) -> None:
        self.now, self._late_seconds = 0.0, late_seconds

    def start(self, contexts: Any, seeds: Any) -> tuple[Any, Any]:
        return _Age(), None

    def step(self, state: Any, executed_BK: Any) -> tuple[Any, Any]:
        state.steps += 1
        self.now += 1.0 if state.steps < 500 else self._late_seconds
        return state, None


@pytest.mark.parametrize("late_seconds", [1.0, 1.5])
def test_steps_that_grow_slower_are_seen(monkeypatch: pytest.MonkeyPatch, late_seconds: float) -> None:
    clock = _Clock(late_seconds)
    monkeypatch.setattr(step_time.time, "perf_counter", lambda: clock.now)
    (row,) = constant_cost(clock, _CONTEXT, 1000).rows
    assert row.estimate.value == pytest.approx(late_seconds)
    assert row.estimate.low == pytest.approx(late_seconds)


def test_an_environment_that_came_with_the_world_is_not_imported(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(_GAMES, COUNTING.name)
    assert run(["bench", "world", "--world", str(bundle), "--lanes", "1", "--turns", "1", "--seconds", "0.01"]) == 2
    assert "Counting is no game that is known here" in capsys.readouterr().err
