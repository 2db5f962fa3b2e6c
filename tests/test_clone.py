"""Imitation: what was played in a recording becomes a policy, and the command goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import neural_env
from agents.clone import CloneConfig, Stacks, clone
from agents.network import FrameNetworkConfig
from agents.policy_file import load_policy, read_record
from agents.view import FrameStacks, View
from data_gen.import_video import ImportConfig, import_video
from data_gen.recorder import record
from data_gen.show import write_video
from data_gen.windows import Windows
from toy_game import COUNTING
from toy_gap import Follower
from toy_recording import toy_plan
from world_model.training.fit import FitConfig

REAL = neural_env.register_game(COUNTING)


@pytest.fixture(scope="module")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Games of one who always follows the ball."""
    folder = tmp_path_factory.mktemp("recordings") / "follower"
    record(toy_plan(policies={"follow": ""}, epsilons=(0.0,), steps=1500), lambda *_: Follower(0.0), folder)
    return folder


def test_who_always_names_the_column_is_imitated(tmp_path: Path, follower: Path) -> None:
    """Random play earns a third of the points."""
    fit = FitConfig(batch=32, steps=120, learning_rate=3e-3, warmup=5, evaluate_every=60, average_decay=0.95)
    network = FrameNetworkConfig(channels=(4, 8, 8), width=32)
    clone(CloneConfig(follower, tmp_path / "run", fit, network, episodes=4))
    evaluation = read_record(tmp_path / "run" / "policy").training["evaluation"]
    assert evaluation["env"] == REAL
    assert evaluation["mean_return"] > 0.8 * 2 * evaluation["mean_length"]
    assert load_policy(tmp_path / "run" / "policy").num_actions == 3
    journal = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    assert [line["step"] for line in journal if "held_out/accuracy" in line] in ([60, 120], [])


def test_what_is_imitated_was_chosen_at_the_last_frame_that_is_seen(follower: Path) -> None:
    """An action that is one step off would be learned from a future frame, or too late."""
    windows, view = Windows.open(follower, "train", 4), View()
    stacks, actions = Stacks(windows, view).batch(0, 16)
    batch = windows.batch(0, 16)
    own = FrameStacks(view)
    lanes = np.arange(16)
    own.reset(lanes)
    for step in range(4):
        seen = own.push(batch.frames[:, step], lanes)
    assert np.array_equal(stacks.numpy(), seen)
    played = Follower(0.0)
    played.reset(lanes, lanes)
    assert np.array_equal(actions.numpy(), played(batch.frames[:, 3], lanes))


def test_a_video_without_actions_is_refused(tmp_path: Path) -> None:
    video = tmp_path / "film.mp4"
    write_video(video, iter(np.zeros((20, 36, 36, 3), np.uint8)), 10)
    import_video(ImportConfig(video, tmp_path / "film", fps=10))
    with pytest.raises(ValueError, match="nobody knows its actions"):
        clone(CloneConfig(tmp_path / "film", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
