"""An agent learns in a dream as it does in the real game, and is judged in both."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import neural_env
from agents.algorithms import DQNConfig, PPOConfig
from agents.bench_training import BenchTrainingConfig, measure_training
from agents.evaluate import evaluate
from agents.frozen import FrozenPolicy
from agents.network import FrameNetworkConfig
from agents.policy_file import read_record
from agents.train import TrainConfig, make_lanes, train
from agents.view import View
from data_gen.recording import Recording
from data_gen.twin import Twin
from data_gen.verify import first_difference
from neural_env.dream_options import DreamOptions, InvalidOption
from tiny_world import tiny_bundle
from toy_game import COUNTING

REAL = neural_env.register_game(COUNTING)
PPO = PPOConfig(lanes=3, rollout=16, batch=16, epochs=1)
DQN = DQNConfig(lanes=3, buffer=200, batch=4, updates=1, warmup=20, target_every=20, explore_steps=50)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("worlds") / "tiny")


def _config(out: Path, world: Path, **changes: object) -> TrainConfig:
    settings = {
        "env": "Dream/World-v0",
        "dream": DreamOptions(world=str(world), max_episode_steps=20),
        "algo": PPO,
        "steps": 96,
        "evaluate_every": 48,
        "evaluate_episodes": 2,
        "network": FrameNetworkConfig(channels=(4, 4, 4), width=16),
    }
    return TrainConfig(out=out, **settings | changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def judged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """How dreams are judged; a dream of random weights may never end, and the toy game has no limit of its own."""
    own, options = evaluate, []

    def short(*args: object, **kwargs: object) -> object:
        env = args[1]
        if env != REAL:
            options.append(kwargs)
        return own(*args, **{**kwargs, **({"max_episode_steps": 30} if env != REAL else {})})  # type: ignore[arg-type]

    monkeypatch.setattr("agents.graded_policies.evaluate", short)
    return options


@pytest.mark.parametrize("algo", [PPO, DQN])
def test_policies_are_judged_in_the_dream_and_in_the_game(
    tmp_path: Path, world: Path, algo: PPOConfig | DQNConfig
) -> None:
    train(_config(tmp_path / "run", world, algo=algo))
    training = read_record(tmp_path / "run" / "policies" / "step_00000096").training
    assert training["env"] == "Dream/World-v0"
    assert training["evaluation"]["env"] == REAL
    assert training["evaluation_in_dream"]["env"] == "Dream/World-v0"
    assert len(training["dream"]["digest"]) == 64
    judgement = json.loads((tmp_path / "run" / "judgement.json").read_text())
    assert [each["steps"] for each in judgement["curve"]] == [48, 96]
    gaps = [each["dreamt"] - each["real"] for each in judgement["curve"]]
    assert judgement["exploitation_gap_max"]["points"] == max(gaps)
    assert judgement["chosen_by_real_games"]["real"] == max(each["real"] for each in judgement["curve"])
    assert (tmp_path / "run" / "judgement.png").stat().st_size > 1000


def test_what_is_judged_are_whole_games(tmp_path: Path, world: Path, judged: list[dict[str, object]]) -> None:
    """An agent may learn from short pieces begun anywhere; it is to play games from their beginning."""
    dream = DreamOptions(world=str(world), start="anywhere", max_episode_steps=5, on_drift="truncate")
    train(_config(tmp_path / "run", world, dream=dream))
    assert {name for options in judged for name in options} == {"world", "progress"}
    train(_config(tmp_path / "limited", world, dream=dream, evaluate_steps=7))
    assert judged[-1]["max_episode_steps"] == 7, "in a poor world a game may never end"
    with pytest.raises(ValueError, match="evaluate_steps is 0; expected at least 1"):
        _config(tmp_path, world, evaluate_steps=0)


def test_an_agent_sees_the_dream_as_it_sees_the_game(tmp_path: Path, world: Path) -> None:
    """Lane i is the single environment of seed + i, in the agents' gray view, the last frame of an episode included."""
    envs = make_lanes(_config(tmp_path, world, seed=5))
    stacks = envs.reset()
    single = gymnasium.make("Dream/World-v0", world=world, max_episode_steps=20)
    view, frame = View(), single.reset(seed=6)[0]
    for step in range(20):
        assert np.array_equal(stacks[1, -1], view.gray(frame)), step
        frame, reward, terminated, truncated, _ = single.step(2)
        stacks, rewards, over, infos = envs.step(np.array([0, 2, 1]))
        assert rewards[1] == pytest.approx(reward)
        assert over[1] == (terminated or truncated)
        if over[1]:
            assert np.array_equal(infos[1]["terminal_observation"][-1], view.gray(frame))
            assert infos[1]["TimeLimit.truncated"] == truncated
            assert infos[1]["episode"]["l"] == step + 1
            break
    assert over[1]
    envs.close()
    single.close()


def test_some_lanes_can_be_real(tmp_path: Path, world: Path) -> None:
    """The last lanes are the twin's, each with a seed of its own, and what is played in them is recorded."""
    config = _config(tmp_path / "run", world, real_lanes=2, record=tmp_path / "recording", steps=300)
    envs = make_lanes(dataclasses.replace(config, record=None))
    stacks = envs.reset()
    for lane in (1, 2):
        frame, _ = gymnasium.make(REAL).reset(seed=lane)
        assert np.array_equal(stacks[lane, -1], View().gray(frame))
    assert len(envs.get_attr("render_mode")) == 3
    assert envs.env_is_wrapped(gymnasium.Wrapper, [0, 2]) == [False, True]
    envs.close()
    train(config)
    recording = Recording.open(tmp_path / "recording")
    assert recording.manifest.game is not None
    twin = Twin(recording.manifest.game)
    assert len(recording.entries()) >= 2
    assert all(first_difference(recording.load(entry), twin) is None for entry in recording.entries())


def test_a_dream_run_goes_on_from_its_last_state(tmp_path: Path, world: Path) -> None:
    train(_config(tmp_path / "run", world, steps=48))
    train(_config(tmp_path / "run", world, steps=96, resume=True))
    names = sorted(file.stem for file in (tmp_path / "run" / "policies").glob("*.json"))
    assert names == ["step_00000048", "step_00000096"]
    elsewhere = DreamOptions(world=str(world), max_episode_steps=20, temperature=0.5)
    with pytest.raises(ValueError, match="begun with another dream"):
        train(_config(tmp_path / "run", world, steps=144, resume=True, dream=elsewhere))


def test_what_says_nothing_is_refused(tmp_path: Path, world: Path) -> None:
    with pytest.raises(ValueError, match="Counting-v0 is no dream"):
        train(_config(tmp_path / "run", world, env=REAL))
    with pytest.raises(ValueError, match="fewer than the 3 lanes"):
        train(_config(tmp_path / "run", world, real_lanes=3))
    with pytest.raises(ValueError, match="what is played in real lanes"):
        train(_config(tmp_path / "run", world, record=tmp_path / "recording"))
    with pytest.raises(InvalidOption, match="temperature is -1"):
        DreamOptions(temperature=-1)
    assert not (tmp_path / "run").exists()


def test_dreamt_games_are_scored_side_by_side_as_one_by_one(world: Path) -> None:
    policy = FrozenPolicy(3, View(), constant=1)
    options = {"world": str(world), "max_episode_steps": 12}
    many = evaluate(policy, "Dream/World-v0", 5, first_seed=3, lanes=4, **options)
    one = evaluate(policy, "Dream/World-v0", 5, first_seed=3, lanes=1, **options)
    assert many == one


def test_the_bench_takes_turns_and_accounts_for_the_time(world: Path) -> None:
    """Whoever is slow in the dream has to see where: simulator, policy or update."""
    dream = DreamOptions(world=str(world))
    config = BenchTrainingConfig(
        "Dream/World-v0", dream, PPO, FrameNetworkConfig(channels=(4, 4, 4), width=16), turns=2, steps=48
    )
    turns = measure_training(config)
    assert list(turns) == ["Dream/World-v0", REAL]
    for turn in [*turns["Dream/World-v0"], *turns[REAL]]:
        assert turn.steps == 48
        assert min(turn.simulator, turn.policy, turn.update) > 0
