"""Training writes policies on the way, survives a kill, and records what is played if asked to."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neural_env
from agents import graded_policies
from agents.algorithms import DQNConfig, PPOConfig, make_agent
from agents.checkpoint import InvalidCheckpoint, load_state
from agents.evaluate import evaluate
from agents.graded_policies import GradedPolicies
from agents.network import FrameNetworkConfig
from agents.policy_file import load_policy, read_record
from agents.train import TrainConfig, make_lanes, train
from agents.zoo import UnknownPolicy, zoo
from data_gen.recording import Recording
from data_gen.twin import Twin
from data_gen.verify import first_difference
from toy_game import COUNTING
from toy_recording import record_toy, tree

TOY = neural_env.register_game(COUNTING)
SMALL = FrameNetworkConfig(channels=(4, 4, 4), width=16)
PPO = PPOConfig(lanes=2, rollout=16, batch=16, epochs=1)
DQN = DQNConfig(lanes=2, buffer=200, batch=4, updates=1, warmup=20, target_every=20, explore_steps=50)


def _config(out: Path, **changes: object) -> TrainConfig:
    settings = {"env": TOY, "algo": PPO, "steps": 96, "evaluate_every": 40, "evaluate_episodes": 2, "network": SMALL}
    return TrainConfig(out=out, **settings | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("algo", [PPO, DQN])
def test_graded_policies_carry_their_own_score(tmp_path: Path, algo: PPOConfig | DQNConfig) -> None:
    """What was scored is what is on disk, and the record says on what, how often and from which seeds."""
    train(_config(tmp_path / "run", algo=algo))
    names = sorted(file.stem for file in (tmp_path / "run" / "policies").glob("*.json"))
    assert names == ["step_00000040", "step_00000080", "step_00000096"]
    record = read_record(tmp_path / "run" / "policies" / names[-1])
    assert record.training["evaluation"]["episodes"] == 2
    assert record.training["evaluation"]["env"] == TOY
    assert record.training["steps"] == 96
    lines = [json.loads(line) for line in (tmp_path / "run" / "progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "evaluation/mean_return" in line] == [40, 80, 96]
    assert load_policy(tmp_path / "run" / "policies" / names[-1]).num_actions == 3


def test_a_policy_is_not_there_before_it_is_graded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed while it grades would leave one that nobody can judge."""

    def watched(*arguments: Any, **options: Any) -> Any:
        there = [read_record(file.with_suffix("")).training for file in (tmp_path / "policies").glob("*.json")]
        assert all("evaluation" in training for training in there)
        return evaluate(*arguments, **options)

    monkeypatch.setattr(graded_policies, "evaluate", watched)
    train(_config(tmp_path))


@pytest.mark.parametrize("judging", [0, 2])
def test_what_is_learned_is_not_lost_to_a_stop_while_it_is_judged(
    judging: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judging takes minutes, and is taken up where it was left: in the midst of a run, or at its end."""
    train(_config(tmp_path / "whole", evaluate_every=32))
    calls = iter(range(3))

    def stopped(*arguments: Any, **options: Any) -> Any:
        if next(calls) == judging:
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(graded_policies, "evaluate", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(_config(tmp_path / "run", evaluate_every=32))
    train(_config(tmp_path / "run", evaluate_every=32, resume=True))
    whole, run = (tree(tmp_path / name / "policies") for name in ("whole", "run"))
    assert run.keys() == whole.keys()
    kept = [name for name in sorted(run) if name.endswith(".safetensors")][: judging + 1]
    assert all(run[name] == whole[name] for name in kept)


@pytest.mark.parametrize("algo", [PPO, DQN])
def test_little_is_lost_to_a_stop_between_two_grades(
    tmp_path: Path, algo: PPOConfig | DQNConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grades may lie an hour apart. What goes on from such a state is graded where a whole run is, and nowhere else."""
    steps: list[int] = []
    usual = GradedPolicies._on_step

    def stopped(self: GradedPolicies) -> bool:
        steps.append(self.num_timesteps)
        if len(steps) == 60:
            raise KeyboardInterrupt
        return usual(self)

    config = _config(tmp_path, algo=algo, steps=200, evaluate_every=150, save_every=20)
    with monkeypatch.context() as patched:
        patched.setattr(GradedPolicies, "_on_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    lost = steps[-1] - torch.load(tmp_path / "state.pt", weights_only=True)["counters"]["num_timesteps"]
    assert 0 <= lost <= 20 + 32 < steps[-1] < 150  # save_every, and the rollout that was not learned from yet
    train(dataclasses.replace(config, resume=True))
    names = sorted(file.stem for file in (tmp_path / "policies").glob("*.json"))
    assert names[0] == "step_00000150"
    assert len(names) == 2


@pytest.mark.parametrize("algo", [PPO, DQN])
def test_a_run_goes_on_from_its_last_state(tmp_path: Path, algo: PPOConfig | DQNConfig) -> None:
    train(_config(tmp_path / "run", algo=algo, steps=64, evaluate_every=64))
    longer = _config(tmp_path / "run", algo=algo, steps=128, evaluate_every=64)
    with pytest.raises(FileExistsError, match="add --resume"):
        train(longer)
    train(TrainConfig(**{**vars(longer), "resume": True}))
    names = sorted(file.stem for file in (tmp_path / "run" / "policies").glob("*.json"))
    assert names == ["step_00000064", "step_00000128"]


def test_weights_optimizer_and_counters_come_back(tmp_path: Path) -> None:
    config = _config(tmp_path / "run", steps=64, evaluate_every=64)
    train(config)
    envs = make_lanes(config)
    agent = make_agent(config.algo, envs, config.network, config.steps, config.seed)
    load_state(tmp_path / "run" / "state.pt", agent)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert agent.num_timesteps == 64
    assert all(torch.equal(t, state["parameters"]["policy"][n]) for n, t in agent.policy.state_dict().items())
    steps = [each["step"] for each in agent.policy.optimizer.state_dict()["state"].values()]
    assert steps
    assert all(step == 4 for step in steps)  # 64 steps are 2 rollouts of 2 minibatches each
    envs.close()


def test_a_run_is_not_resumed_with_other_settings(tmp_path: Path) -> None:
    train(_config(tmp_path / "run", steps=32))
    with pytest.raises(ValueError, match="begun with another seed"):
        train(_config(tmp_path / "run", steps=64, seed=3, resume=True))
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(_config(tmp_path / "elsewhere", resume=True))


def test_scaled_rewards_are_what_is_learned_from_and_not_what_is_told() -> None:
    """A sum of rewards in the log or in a policy's record is in the game's own unit."""
    played = {}
    for scale in (1.0, 0.25):
        envs = make_lanes(_config(Path("unused"), reward_scale=scale))
        envs.reset()
        steps = [envs.step(np.zeros(2, np.int64)) for _ in range(40)]
        told = [info["episode"]["r"] for _, _, _, infos in steps for info in infos if "episode" in info]
        played[scale] = np.array([rewards for _, rewards, _, _ in steps]), told
        envs.close()
    assert played[1.0][0].any()
    assert (played[0.25][0] == played[1.0][0] / 4).all()
    assert played[0.25][1] == played[1.0][1] != []


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_rewards_that_teach_nothing_or_the_contrary_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="reward_scale is"):
        _config(Path("unused"), reward_scale=scale)


def test_a_state_that_is_a_pickle_is_refused(tmp_path: Path) -> None:
    config = _config(tmp_path / "run")
    envs = make_lanes(config)
    agent = make_agent(config.algo, envs, config.network, config.steps, config.seed)
    (tmp_path / "state.pt").write_bytes(b"cos\nsystem\n(S'touch exploded'\ntR.")
    with pytest.raises(InvalidCheckpoint, match="not a training state"):
        load_state(tmp_path / "state.pt", agent)
    assert not Path("exploded").exists()
    envs.close()


def test_what_an_agent_plays_while_it_learns_is_recorded_and_plays_again(tmp_path: Path) -> None:
    """Both collection modes of the field: from frozen policies, and during training."""
    train(_config(tmp_path / "run", steps=160, record=tmp_path / "recording", env=TOY))
    recording = Recording.open(tmp_path / "recording")
    assert len(recording.entries()) >= 3
    assert recording.manifest.game is not None
    twin = Twin(recording.manifest.game)
    assert all(first_difference(recording.load(entry), twin) is None for entry in recording.entries())
    seeds = [recording.load(entry).provenance["reset_seed"] for entry in recording.entries()]
    assert len(set(seeds)) == len(seeds)


def test_a_recording_that_is_already_there_is_not_written_over(tmp_path: Path) -> None:
    """Publishing would replace the manifest of a planned recording with one over both."""
    record_toy(tmp_path / "planned")
    before = tree(tmp_path / "planned")
    with pytest.raises(FileExistsError, match="already holds a recording"):
        train(_config(tmp_path / "run", record=tmp_path / "planned"))
    assert tree(tmp_path / "planned") == before
    assert not (tmp_path / "run").exists()


def test_only_a_twin_can_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the twin of a game"):
        train(_config(tmp_path / "run", env="Toy/Counting-v0", record=tmp_path / "recording"))


def test_an_agent_starts_from_a_policy(tmp_path: Path) -> None:
    train(_config(tmp_path / "first", steps=32))
    origin = tmp_path / "first" / "policies" / "step_00000032"
    train(_config(tmp_path / "second", steps=32, init=origin, algo=PPOConfig(**{**vars(PPO), "learning_rate": 0.0})))
    stacks = np.random.default_rng(0).integers(0, 256, (8, 4, 84, 84), np.uint8)
    one, two = load_policy(origin), load_policy(tmp_path / "second" / "policies" / "step_00000032")
    assert np.array_equal(one.scores(stacks), two.scores(stacks))


def test_a_policy_of_the_zoo_goes_on(tmp_path: Path) -> None:
    still = PPOConfig(**{**vars(PPO), "learning_rate": 0.0})
    train(
        _config(
            tmp_path / "run",
            env="Real/Pong-v0",
            steps=32,
            init=Path("zoo/ppo-b-2"),
            algo=still,
            network=FrameNetworkConfig(),
        )
    )
    stacks = np.random.default_rng(0).integers(0, 256, (8, 4, 84, 84), np.uint8)
    ours, origin = load_policy(tmp_path / "run" / "policies" / "step_00000032"), zoo("Pong")["ppo-b-2"].load()
    assert np.array_equal(ours.scores(stacks).argmax(1), origin.scores(stacks).argmax(1))
    with pytest.raises(UnknownPolicy, match="'nobody'"):
        train(_config(tmp_path / "other", env="Real/Pong-v0", steps=32, init=Path("zoo/nobody"), algo=still))


def test_processes_know_a_game_that_only_the_script_registered(tmp_path: Path) -> None:
    """The id's spec travels to forkserver processes whole; the toy's module is all they need."""
    code = (
        "from pathlib import Path; import sys; from test_train import _config; from agents.train import train\n"
        "if __name__ == '__main__': train(_config(Path(sys.argv[1]), steps=32, processes=True, evaluate_episodes=1))"
    )
    here = Path(__file__).parent
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], cwd=here, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "state.pt").exists()
