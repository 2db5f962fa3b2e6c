"""Transfer: its figures are what they are defined to be, and its runs are done once, whatever interrupts them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.evaluate import Score, evaluate
from agents.policy_file import read_record
from data_gen.policy import Policy
from data_gen.registration import twin_id
from evaluation.gap_report.transfer import measure_transfer
from evaluation.transfer.command import TransferConfig, transfer
from evaluation.transfer.figures import exploitation, final_less_best, improvement, transfer_ratio
from evaluation.transfer.outcome import Arm, Outcome, Stage, Trained, read_outcome, write_outcome
from evaluation.transfer.setting import RunsConfig, Unready
from evaluation.transfer.table import table
from evaluation.transfer.temperatures import TemperaturesConfig, temperatures
from neural_env.registration import dream_id
from toy_long_runs import toy_transfer
from world_model.plain_config import InvalidConfig

DRAWS = 500


def _run(arm: Arm, seed: int, mean: float, curve: tuple[Stage, ...] = (), chosen: float | None = None) -> Trained:
    games = np.random.default_rng(seed).normal(0, 1, 40)
    returns = tuple((games - games.mean() + mean).tolist())
    return Trained(arm, seed, 100, returns, (), () if chosen is None else (chosen,) * 40, curve)


@pytest.fixture
def outcome() -> Outcome:
    """Random play earns -20, the real game's agents earn 10 (span 30), the dream's 4, imitators -5."""
    curve = (Stage(50, -8.0, -2.0), Stage(100, 4.0, 5.0))
    falling = (Stage(50, 7.0, 7.0), Stage(100, 4.0, 10.0))
    runs = [_run("random", 0, -20.0), *(_run("real", seed, 10.0) for seed in range(3))]
    runs += [_run("dream", 0, 4.0, curve, 4.0), _run("dream", 1, 4.0, falling, 4.0)]
    runs += [_run("clone", 0, -5.0), _run("matched", 0, 3.0), _run("matched", 1, 5.0)]
    return Outcome("Pong", "Dream/Pong-v0", "Real/Pong-v0", "w" * 64, "ppo", "", 100, 1000, tuple(runs))


def test_the_ratio_is_the_normalised_real_return(outcome: Outcome) -> None:
    ratio = transfer_ratio(outcome, DRAWS, seed=0)
    assert ratio.value == pytest.approx(24 / 30)
    of = ratio.estimate(2, 2)
    assert 0.7 < of.low < 24 / 30 < of.high < 0.9
    assert transfer_ratio(outcome, DRAWS, 0, "random").value == pytest.approx(0)
    assert transfer_ratio(outcome, DRAWS, 0, "real").value == pytest.approx(1)


def test_improvement_counts_pairs_of_runs(outcome: Outcome) -> None:
    assert improvement(outcome, "clone", DRAWS, 0).value == 1.0
    assert improvement(outcome, "matched", DRAWS, 0).value == 0.5  # above one of two
    assert improvement(outcome, "real", DRAWS, 0).value == 0.0


def test_exploitation_is_the_widest_gap_and_what_was_lost_since(outcome: Outcome) -> None:
    assert exploitation(outcome) == pytest.approx([6 / 30, 6 / 30])
    assert final_less_best(outcome) == pytest.approx([0.0, -3 / 30])


def test_training_that_gained_nothing_is_no_scale(tmp_path: Path, outcome: Outcome) -> None:
    """After hours of training the table comes, and says what it cannot."""
    (random,) = outcome.of("random")
    alike = [dataclasses.replace(run, returns=random.returns) if run.arm == "real" else run for run in outcome.runs]
    outcome = dataclasses.replace(outcome, runs=tuple(alike))
    assert "nan" in table(outcome)
    write_outcome(outcome, tmp_path)
    found = {metric.key: metric for metric in measure_transfer(tmp_path, "w" * 64, DRAWS, 0).metrics}
    assert not found["F1"].is_measured
    assert "gained nothing" in found["F3"].note
    assert found["F2"].is_measured


def test_an_outcome_survives_its_file_and_nothing_else_does(tmp_path: Path, outcome: Outcome) -> None:
    write_outcome(outcome, tmp_path)
    assert read_outcome(tmp_path) == outcome
    plain = json.loads((tmp_path / "transfer.json").read_text())
    plain["runs"][0]["arm"] = "oracle"
    (tmp_path / "transfer.json").write_text(json.dumps(plain))
    with pytest.raises(InvalidConfig, match="arm"):
        read_outcome(tmp_path)
    with pytest.raises(FileNotFoundError, match="neural-env transfer writes it"):
        read_outcome(tmp_path / "elsewhere")


def test_the_gap_report_takes_runs_of_the_same_world_only(tmp_path: Path, outcome: Outcome) -> None:
    write_outcome(outcome, tmp_path)
    found = {metric.key: metric for metric in measure_transfer(tmp_path, "w" * 64, DRAWS, 0).metrics}
    assert found["F1"].estimate.value == pytest.approx(24 / 30)
    assert found["F1"].gap_closed is not None
    assert found["F2"].estimate.value == 0.5
    assert found["F3"].estimate.value == pytest.approx(0.2)
    assert found["F3.final"].estimate.value == pytest.approx(-0.1)
    assert found["F4"].estimate.value == pytest.approx(24 / 30)
    for runs, world in ((tmp_path, "v" * 64), (None, "w" * 64)):
        assert not any(metric.is_measured for metric in measure_transfer(runs, world, DRAWS, 0).metrics)
    few = dataclasses.replace(outcome, runs=tuple(run for run in outcome.runs if run.arm != "real"))
    write_outcome(few, tmp_path)
    found = {metric.key: metric for metric in measure_transfer(tmp_path, "w" * 64, DRAWS, 0).metrics}
    assert "no arm real" in found["F1"].note
    assert found["F2"].is_measured


def test_the_table_says_what_was_measured(outcome: Outcome) -> None:
    text = table(outcome)
    assert "0.800 (" in text
    assert "imitation of what the world has seen" in text


# ---- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TransferConfig:
    return toy_transfer(tmp_path_factory.mktemp("transfer"))


def test_every_arm_runs_once_and_is_recalled(config: TransferConfig, capsys: pytest.CaptureFixture[str]) -> None:
    transfer(config)
    assert config.out is not None
    outcome = read_outcome(config.out)
    assert {(run.arm, run.seed) for run in outcome.runs} == {
        (arm, seed) for arm in ("dream", "real", "matched", "clone", "random") for seed in (0, 1)
    }
    assert all(len(run.returns) == 3 for run in outcome.runs)
    assert all(len(run.dreamt_returns) == (3 if run.arm == "dream" else 0) for run in outcome.runs)
    (matched, _) = outcome.of("matched")
    assert matched.steps == outcome.real_steps
    assert [stage.steps for stage in outcome.of("dream")[0].curve] == [32, 64]
    assert all(stage.dreamt is not None for stage in outcome.of("dream")[0].curve)
    assert all(stage.dreamt is None for stage in outcome.of("real")[0].curve)
    assert len({run.returns for run in outcome.of("real")}) == 2, "both seeds played the same"
    for arm in ("dream", "real", "matched"):
        policy = next((config.out / f"{arm}-0" / "policies").glob("*.json"))
        assert read_record(policy.with_suffix("")).training["reward_scale"] == config.reward_scale != 1
    assert (config.out / "transfer.png").stat().st_size > 1000
    assert "transfer ratio" in capsys.readouterr().out

    # What is done is kept: a run that is lost is made again, to the same scores, and no other one is touched.
    kept = {file: file.stat().st_mtime_ns for file in config.out.glob("*/scored.json")}
    lost = config.out / "real-1" / "scored.json"
    lost.unlink()
    transfer(config)
    assert read_outcome(config.out) == outcome
    assert all(file.stat().st_mtime_ns == before for file, before in kept.items() if file != lost)


def test_runs_of_other_settings_are_not_recalled(config: TransferConfig) -> None:
    """Scores of another algorithm under the new one's name would be the worst that can happen to a control."""
    transfer(dataclasses.replace(config, arms="real", seeds=1))
    other = dataclasses.replace(config.algo, learning_rate=1e-5)
    with pytest.raises(ValueError, match="begun with another algo"):
        transfer(dataclasses.replace(config, arms="real", seeds=1, algo=other))


def test_what_an_arm_does_not_depend_on_may_change(config: TransferConfig) -> None:
    """Random play is the same beside any algorithm, and a run in the real game beside any world or recording."""
    assert config.out is not None
    transfer(dataclasses.replace(config, arms="real,random", seeds=1))
    kept = {file: file.stat().st_mtime_ns for file in config.out.glob("*/scored.json")}
    hotter = dataclasses.replace(config.dream, temperature=1.3)
    transfer(dataclasses.replace(config, arms="real,random", seeds=1, data=None, clone_steps=3, dream=hotter))
    transfer(dataclasses.replace(config, arms="random", seeds=1, algo=dataclasses.replace(config.algo, gamma=0.5)))
    assert all(file.stat().st_mtime_ns == before for file, before in kept.items())


def test_dreamt_games_may_be_cut(config: TransferConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a poor world some never end: those on the way and those that score a run at its end."""
    lengths: dict[str, list[int]] = {}

    def spied(policy: Policy, env: str, *args: Any, **options: Any) -> Score:
        score = evaluate(policy, env, *args, **options)
        lengths.setdefault(env, []).extend(score.lengths)
        return score

    for module in ("agents.graded_policies", "evaluation.transfer.arms"):
        monkeypatch.setattr(f"{module}.evaluate", spied)
    transfer(dataclasses.replace(config, out=tmp_path / "cut", arms="dream", seeds=1, evaluate_steps=3))
    dreamt = lengths.pop(dream_id(config.game))
    assert len(dreamt) == config.judged * config.judged_episodes + config.episodes
    assert max(dreamt) <= 3 < max(lengths[twin_id(config.game)])
    with pytest.raises(ValueError, match="evaluate_steps is 0; expected at least 1"):
        dataclasses.replace(config, evaluate_steps=0)


def test_without_the_recording_two_controls_are_left_out(config: TransferConfig) -> None:
    """Here two processes at a time, which never ran the script that registered the game."""
    assert config.out is not None
    arms = "random,clone,matched"
    transfer(dataclasses.replace(config, data=None, arms=arms, out=config.out.parent / "few", workers=2))
    assert {run.arm for run in read_outcome(config.out.parent / "few").runs} == {"random"}


def test_an_unknown_arm_is_refused(config: TransferConfig) -> None:
    with pytest.raises(Unready, match="no arm 'dreem'"):
        transfer(dataclasses.replace(config, arms="dreem"))


# ---- temperatures --------------------------------------------------------------------------------------------------


def test_each_temperature_is_learned_in_and_scored_on_both_sides(
    tmp_path: Path, config: TransferConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {each.name: getattr(config, each.name) for each in dataclasses.fields(RunsConfig)}
    sweep = TemperaturesConfig(**{**common, "out": tmp_path, "temperatures": (2.0, 0.5), "seeds": 1})
    temperatures(sweep)
    found = json.loads((tmp_path / "temperatures.json").read_text())
    assert [line["temperature"] for line in found["lines"]] == [0.5, 2.0, None], "not from cold to hot"
    cold, hot, random = found["lines"]
    assert cold["dreamt"]["count"] == hot["real"]["count"] == random["real"]["count"] == sweep.episodes
    assert random["dreamt"] is None
    for folder, temperature in (("0.5", 0.5), ("2", 2.0)):
        policy = next((tmp_path / folder / "dream-0" / "policies").glob("*.json"))
        assert read_record(policy.with_suffix("")).training["dream"]["temperature"] == temperature
    assert "| random play |" in capsys.readouterr().out
    assert (tmp_path / "temperatures.png").stat().st_size > 1000


def test_a_temperature_is_named_once(config: TransferConfig, tmp_path: Path) -> None:
    with pytest.raises(Unready, match="each once"):
        temperatures(TemperaturesConfig(config.game, tmp_path, temperatures=(1.0, 1.0)))
