"""A policy file is the policy: no pickle, every byte vouched for, the same actions wherever it is loaded."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

import neural_env
from agents.convert import ConvertConfig, convert
from agents.export import export_policy, start_from
from agents.frozen import FrozenPolicy
from agents.network import FrameFeatures, FrameNetworkConfig, moving
from agents.policy_file import InvalidPolicy, PolicyRecord, load_policy, read_record, save_policy
from agents.view import AgentView, FrameStacks, View
from agents.zoo import resolve
from data_gen.policy import Frames
from toy_game import COUNTING

SMALL = FrameNetworkConfig(channels=(4, 4, 4), width=16)


@pytest.fixture(scope="module")
def toy_id() -> str:
    return neural_env.register_game(COUNTING)


def _agent(kind: type[PPO] | type[DQN], toy_id: str, network: FrameNetworkConfig = SMALL) -> PPO | DQN:
    envs = VecFrameStack(DummyVecEnv([lambda: AgentView(gymnasium.make(toy_id), View())]), 4, channels_order="first")
    extractor = {
        "features_extractor_class": FrameFeatures,
        "features_extractor_kwargs": {"config": network},
        "net_arch": [],
    }
    sizes: dict[str, Any] = {"n_steps": 8, "batch_size": 8} if kind is PPO else {"buffer_size": 10}
    return kind("CnnPolicy", envs, policy_kwargs=extractor, seed=1, **sizes)


@pytest.fixture(scope="module")
def ppo(toy_id: str) -> PPO:
    agent = _agent(PPO, toy_id)
    assert isinstance(agent, PPO)
    with torch.no_grad():
        agent.policy.action_net.weight.mul_(100)  # far from uniform, so that a wrong action shows
    return agent


@pytest.fixture
def saved(ppo: PPO, tmp_path: Path) -> Path:
    export_policy(ppo, tmp_path / "agent", SMALL, {"steps": 0})
    return tmp_path / "agent"


def _frames(count: int, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (count, 36, 36, 3), np.uint8)


def _lanes(count: int) -> Any:
    return np.arange(count)


@pytest.mark.parametrize("kind", [PPO, DQN])
def test_the_file_acts_as_the_agent_did(kind: type[PPO] | type[DQN], toy_id: str, tmp_path: Path) -> None:
    """The best action of the half-precision file is that of SB3's agent, where the two best are not all but equal."""
    agent = _agent(kind, toy_id)
    export_policy(agent, tmp_path / "agent", SMALL, {})
    policy = load_policy(tmp_path / "agent", deterministic=True, epsilon=0.0)
    policy.reset(_lanes(64), _lanes(64))
    stacks = FrameStacks(View())
    frames = _frames(64)
    stacked = stacks.push(frames, _lanes(64))
    scores = np.sort(policy.scores(stacked), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.01 * np.abs(scores).max()
    theirs = agent.predict(stacked, deterministic=True)[0]
    assert clear.sum() > 10
    assert np.array_equal(policy(frames, _lanes(64))[clear], theirs[clear])


def test_the_stack_is_that_of_training(toy_id: str) -> None:
    """FrameStacks in front of a frozen policy and VecFrameStack in training show the same, through an episode's end."""
    view = View()
    envs = VecFrameStack(DummyVecEnv([lambda: AgentView(gymnasium.make(toy_id), view)]), 4, channels_order="first")
    twin = gymnasium.make(toy_id)
    envs.seed(5)
    theirs = envs.reset()
    stacks, lane = FrameStacks(view), np.array([0])
    stacks.reset(lane)
    frame, _ = twin.reset(seed=5)
    for action in [0, 1, 2] * 20:
        assert np.array_equal(stacks.push(frame[None], lane), theirs)
        theirs, _, _, _ = envs.step(np.array([action]))
        frame, _, terminated, truncated, _ = twin.step(action)
        if terminated or truncated:
            stacks.reset(lane)
            frame, _ = twin.reset()


def test_an_action_does_not_depend_on_the_other_lanes(saved: Path) -> None:
    """Bit for bit, because recordings are finished to the same bytes with other lanes running."""
    frames = _frames(11)
    together = load_policy(saved)
    together.reset(_lanes(11), 100 + _lanes(11))
    stacked = FrameStacks(View()).push(frames, _lanes(11))
    assert all(
        np.array_equal(together.scores(stacked)[i : i + 1], together.scores(stacked[i : i + 1])) for i in range(11)
    )
    actions = together(frames, _lanes(11))
    for lane in range(11):
        alone = load_policy(saved)
        alone.reset(np.array([0]), np.array([100 + lane]))
        assert alone(frames[lane : lane + 1], np.array([0]))[0] == actions[lane]


def test_draws_follow_the_probabilities_temperature_and_epsilon(saved: Path) -> None:
    frames = np.repeat(_frames(1), 1500, axis=0)

    def shares(**settings: Any) -> Any:
        policy = load_policy(saved, **settings)
        policy.reset(_lanes(1500), _lanes(1500))
        return np.bincount(policy(frames, _lanes(1500)), minlength=3) / 1500

    scores = load_policy(saved).scores(FrameStacks(View()).push(frames[:1], _lanes(1)))[0].astype(float)
    softmax = np.exp(scores) / np.exp(scores).sum()
    warm = np.exp(scores / 3) / np.exp(scores / 3).sum()
    # Five standard deviations of 1,500 draws.
    assert np.allclose(shares(), softmax, atol=0.05)
    assert np.allclose(shares(temperature=3.0), warm, atol=0.05)
    assert np.allclose(shares(epsilon=0.6), 0.4 * softmax + 0.2, atol=0.05)
    assert shares(deterministic=True).max() == 1.0


@pytest.mark.parametrize("actions", [(2, 1, 0), (1, 1, 2)])
def test_actions_are_replaced_as_the_record_says(saved: Path, actions: tuple[int, ...]) -> None:
    """Swapped, or one of them never taken."""
    from agents.policy_file import load_weights, read_record

    renamed = saved.with_name(f"renamed-{actions}")
    save_policy(renamed, dataclasses.replace(read_record(saved), actions=actions), load_weights(saved))
    frames = _frames(50)
    plain, other = (load_policy(path, deterministic=True) for path in (saved, renamed))
    assert np.array_equal(np.array(actions)[plain(frames, _lanes(50))], other(frames, _lanes(50)))


def test_an_agent_goes_on_from_a_policy_file(ppo: PPO, saved: Path, toy_id: str) -> None:
    fresh = _agent(PPO, toy_id)
    start_from(fresh, saved)
    stacks = np.random.default_rng(0).integers(0, 256, (64, 4, 84, 84), np.uint8)
    assert np.array_equal(fresh.predict(stacks, deterministic=True)[0], ppo.predict(stacks, deterministic=True)[0])


def test_a_file_from_before_there_was_motion_sees_frames(saved: Path) -> None:
    file = saved.with_suffix(".json")
    record = json.loads(file.read_text())
    del record["network"]["motion"]
    file.write_text(json.dumps(record))
    assert not read_record(saved).network.motion
    assert read_record(resolve("zoo/ppo-5", "Pong")).network.motion is False


def test_an_agent_that_sees_motion_goes_on_from_one_that_saw_frames(toy_id: str, tmp_path: Path) -> None:
    """It acts as that one did; the other way round is refused."""
    still = dataclasses.replace(SMALL, motion=False)
    before, after = _agent(PPO, toy_id, still), _agent(PPO, toy_id)
    export_policy(before, tmp_path / "still", still, {})
    start_from(after, tmp_path / "still")
    stacks = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 4, 84, 84), np.uint8))
    with torch.no_grad():
        logits = [agent.policy.get_distribution(stacks).distribution.logits for agent in (before, after)]  # type: ignore[operator]
    assert torch.allclose(*logits, atol=1e-3)
    export_policy(after, tmp_path / "moving", SMALL, {})
    with pytest.raises(InvalidPolicy, match="sees motion"):
        start_from(before, tmp_path / "moving")


def test_motion_is_the_newest_frame_and_what_changed() -> None:
    stacks = torch.zeros(1, 4, 36, 36)
    stacks[0, 2:, 5, 5] = 1.0
    seen = moving(stacks)
    assert seen[0, :, 5, 5].tolist() == [1.0, 0.0, 4.0, 0.0]
    assert float(seen.abs().sum()) == 5.0


def test_values_learned_on_from_a_policy_begin_low_and_in_its_order(ppo: PPO, saved: Path, toy_id: str) -> None:
    """Logits taken for values would be too large by far, and what was never tried must not look best."""
    fresh = _agent(DQN, toy_id)
    start_from(fresh, saved)
    stacks = np.random.default_rng(0).integers(0, 256, (64, 4, 84, 84), np.uint8)
    assert np.array_equal(fresh.predict(stacks, deterministic=True)[0], ppo.predict(stacks, deterministic=True)[0])
    logits = load_policy(saved).scores(stacks).astype(float)
    with torch.no_grad():
        values = fresh.q_net(torch.from_numpy(stacks)).numpy()
    assert np.allclose(values, logits / 50 - 1, atol=1e-4)


# ---- damage and malice ---------------------------------------------------------------------------------------------


def test_every_flipped_bit_and_truncation_of_the_weights_is_refused(saved: Path) -> None:
    file = saved.with_name("agent.safetensors")
    content, rng = file.read_bytes(), np.random.default_rng(0)
    for _ in range(100):
        place, bit = int(rng.integers(len(content))), int(rng.integers(8))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        with pytest.raises(InvalidPolicy, match=r"agent\.safetensors is damaged"):
            load_policy(saved)
        file.write_bytes(content[:place])
        with pytest.raises(InvalidPolicy, match=r"agent\.safetensors is damaged"):
            load_policy(saved)


class _Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_under_our_names_is_refused_and_never_run(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = pickle.dumps(_Bomb())
    for suffix in (".json", ".safetensors"):
        file = saved.with_name("agent" + suffix)
        content = file.read_bytes()
        file.write_bytes(bomb)
        with pytest.raises(InvalidPolicy):
            load_policy(saved)
        file.write_bytes(content)
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "os.system"), ("num_actions", 10**12), ("num_actions", -1), ("num_actions", 2.5),
        ("num_actions", True), ("constant", 99), ("temperature", 0.0), ("temperature", float("nan")), ("epsilon", 2),
        ("actions", [0, 1]), ("actions", [0, 1, 3]), ("format", 2), ("unknown", 1),
        ("network", None), ("network", {"size": 1}),
        ("network", {**dataclasses.asdict(SMALL), "motion": 1}),
        ("network", {"stack": 4, "size": 84, "channels": [10**9, 4, 4], "width": 16}),
        ("network", {"stack": 4, "size": 84, "channels": [4, 4], "width": 16}),
    ],
)  # fmt: skip
def test_a_record_that_says_something_impossible_is_refused(saved: Path, field: str, value: Any) -> None:
    file = saved.with_name("agent.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(InvalidPolicy, match=r"agent\.json"):
        load_policy(saved)


def test_deeply_nested_json_is_refused(saved: Path) -> None:
    saved.with_name("agent.json").write_text("[" * 100_000)
    with pytest.raises(InvalidPolicy, match="not a policy record"):
        load_policy(saved)


def test_a_missing_policy_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected <path>\.json beside"):
        load_policy(tmp_path / "nothing")


def test_an_sb3_archive_is_opened_only_with_trust(ppo: PPO, saved: Path, tmp_path: Path) -> None:
    ppo.save(tmp_path / "agent.zip")
    with pytest.raises(ValueError, match="loading it runs code"):
        convert(ConvertConfig(tmp_path / "agent.zip", tmp_path / "converted"))
    convert(ConvertConfig(tmp_path / "agent.zip", tmp_path / "converted", trust=True))
    assert (tmp_path / "converted.safetensors").read_bytes() == saved.with_name("agent.safetensors").read_bytes()


def test_scripted_policies_need_no_weights(tmp_path: Path) -> None:
    save_policy(tmp_path / "random", PolicyRecord(kind="random", num_actions=3))
    policy = load_policy(tmp_path / "random")
    policy.reset(_lanes(900), _lanes(900))
    assert np.bincount(policy(_frames(900), _lanes(900))).min() > 220
    assert isinstance(policy, FrozenPolicy)
