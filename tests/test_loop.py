"""The loop goes from nothing to an agent, counts its real steps, and goes on wherever it was stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from agents.policy_file import read_record
from data_gen.merge import merge
from data_gen.recording import Recording, summed_steps
from evaluation.loop.command import LoopConfig, OtherLoop, loop
from toy_game import COUNTING
from toy_long_runs import LOOPED, toy_loop
from toy_recording import record_toy
from world_model.bundle import load_world


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> LoopConfig:
    return toy_loop(tmp_path_factory.mktemp("loop"))


def test_the_loop_plays_records_learns_and_dreams(config: LoopConfig, capsys: pytest.CaptureFixture[str]) -> None:
    loop(config)
    rounds = [json.loads((config.out / f"round-{number}/round.json").read_text()) for number in range(2)]
    data = [Recording.open(config.out / f"round-{number}/data") for number in range(2)]
    for number, (each, recording) in enumerate(zip(rounds, data, strict=True)):
        due = config.real_steps * (number + 1) // 2
        assert due - LOOPED.max_steps * 4 < each["real_steps"] <= due
        assert each["real_steps"] == summed_steps(recording.entries())
    second = Recording.open(config.out / "round-1/recording")
    assert {entry.policy for entry in second.entries()} != {"random-hold"}, "the agent plays from the second round on"
    graded = [sorted((config.out / f"round-{number}/agent/policies").glob("*.json")) for number in range(2)]
    assert [[file.stem for file in files] for files in graded] == [["step_00000064"]] * 2, "whole rollouts; graded once"
    first_agent, second_agent = (read_record(files[-1].with_suffix("")) for files in graded)
    assert second_agent.training["init"]["steps"] == first_agent.training["steps"] == 64
    starts = load_world(config.out / "round-1/world").starts
    assert len(starts) > 3, "agents dream from all that was played, not from the few held-out starts"
    limit = json.loads((config.out / "round-1/agent/config.json").read_text())["evaluate_steps"]
    assert limit == 2 * max(entry.steps for entry in data[1].entries())
    page = (config.out / "index.html").read_text()
    assert "2 of 2 rounds" in page
    assert "Round 1" in page
    assert "gain over the seed frame, 1 step ahead" in page
    assert "http" not in page
    assert capsys.readouterr().out.count("real return") == 2


def test_the_same_command_recalls_and_a_lost_round_comes_again(config: LoopConfig) -> None:
    loop(config)
    last = config.out / "round-1" / "round.json"
    before, kept = last.read_text(), (config.out / "round-1/world-run/world/manifest.json").stat().st_mtime_ns
    last.unlink()
    loop(dataclasses.replace(config, workers=2))
    assert last.read_text() == before
    assert (config.out / "round-1/world-run/world/manifest.json").stat().st_mtime_ns == kept


def test_another_loop_is_refused(config: LoopConfig) -> None:
    loop(config)
    with pytest.raises(OtherLoop, match="another loop"):
        loop(dataclasses.replace(config, agent_steps=61))
    with pytest.raises(ValueError, match="real_steps is 1; expected at least 2"):
        dataclasses.replace(config, real_steps=1)


# ---- merging ---------------------------------------------------------------------------------------------------------


def test_merged_recordings_hold_every_episode_once(tmp_path: Path) -> None:
    record_toy(tmp_path / "one", seed=1)
    record_toy(tmp_path / "two", seed=2)
    parts = [Recording.open(tmp_path / name) for name in ("one", "two")]
    merge(parts, tmp_path / "both")
    both = Recording.open(tmp_path / "both")
    for split in ("train", "validation", "test"):
        ours = [entry.sha256 for entry in both.entries(split)]
        assert ours == [entry.sha256 for part in parts for entry in part.entries(split)]
    assert all(len(both.load(entry)) == entry.steps for entry in both.entries())
    with pytest.raises(FileExistsError, match="already holds a recording"):
        merge(parts, tmp_path / "both")


def test_a_budget_is_never_exceeded(tmp_path: Path) -> None:
    record_toy(tmp_path / "one")
    merge([Recording.open(tmp_path / "one")], tmp_path / "some", at_most=200)
    steps = summed_steps(Recording.open(tmp_path / "some").entries())
    assert 0 < steps <= 200


def test_other_games_are_not_mixed(tmp_path: Path) -> None:
    record_toy(tmp_path / "one")
    record_toy(tmp_path / "two", game=COUNTING)
    with pytest.raises(ValueError, match="not of the same game"):
        merge([Recording.open(tmp_path / name) for name in ("one", "two")], tmp_path / "both")
    assert not (tmp_path / "both").exists()
