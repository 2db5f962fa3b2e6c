"""The tensor face shows what the other faces show, and its frames stay on their device."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from neural_env.dream_options import InvalidOption
from neural_env.tensor import TensorDream
from toy_dream import TOY, actions_of, toy_world
from toy_game import COUNTING

_LANES, _STEPS = 5, 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_world(tmp_path_factory.mktemp("world") / "toy"))


@pytest.fixture
def dream(world: str) -> TensorDream:
    dream = TensorDream("Dream/World-v0", _LANES, world=world)
    dream.reset(seed=3)
    return dream


def test_lanes_are_those_of_the_vector_environment(world: str, dream: TensorDream) -> None:
    envs = gymnasium.make_vec("Dream/World-v0", num_envs=_LANES, world=world, autoreset_mode=AutoresetMode.SAME_STEP)
    frames, _ = envs.reset(seed=3)
    assert np.array_equal(dream.reset(seed=3).numpy(), frames)
    ended = 0
    for actions in actions_of(_STEPS, _LANES):
        step = dream.step(torch.from_numpy(actions))
        frames, rewards, terminated, truncated, infos = envs.step(actions)
        assert np.array_equal(step.frames_BHWC.numpy(), frames)
        assert np.array_equal(step.rewards_B.numpy(), rewards)
        assert np.array_equal(step.terminated_B.numpy(), terminated)
        assert np.array_equal(step.truncated_B.numpy(), truncated)
        for lane in np.flatnonzero(terminated | truncated):
            assert np.array_equal(step.last_BHWC[lane].numpy(), infos["final_obs"][lane])
            ended += 1
    assert ended > 0


def test_given_actions_are_played_and_one_rollout_goes_on_from_the_last(world: str, dream: TensorDream) -> None:
    actions = torch.from_numpy(actions_of(20, _LANES))
    whole = dream.rollout(actions)
    dream.reset(seed=3)
    parts = [dream.rollout(actions[:7]), dream.rollout(actions[7:])]
    for name in ("frames_TBHWC", "actions_TB", "rewards_TB", "terminated_TB", "truncated_TB"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
    assert torch.equal(whole.next_BHWC, parts[1].next_BHWC)
    assert torch.equal(parts[0].next_BHWC, parts[1].frames_TBHWC[0])
    assert len(whole.frames_TBHWC) == 20


def test_a_policy_answers_each_frame_that_it_is_shown(dream: TensorDream) -> None:
    shown: list[torch.Tensor] = []

    def policy(frames_BHWC: torch.Tensor) -> torch.Tensor:
        shown.append(frames_BHWC)
        return frames_BHWC.flatten(1).long().sum(1) % TOY.num_actions

    run = dream.rollout(policy, 15)
    assert torch.equal(torch.stack(shown), run.frames_TBHWC)
    assert torch.equal(run.actions_TB, run.frames_TBHWC.flatten(2).long().sum(2) % TOY.num_actions)


def test_frames_that_were_handed_out_do_not_change_later(dream: TensorDream) -> None:
    actions = torch.zeros(_LANES, dtype=torch.int64)
    kept = [dream.step(actions).frames_BHWC for _ in range(40)]
    copies = [frames.clone() for frames in kept]
    for _ in range(40):
        dream.step(actions)
    assert all(torch.equal(one, other) for one, other in zip(kept, copies, strict=True))


def test_what_cannot_be_is_refused(dream: TensorDream) -> None:
    with pytest.raises(ValueError, match=r"actions have shape \(4, 2\); expected \[steps, 5\]"):
        dream.rollout(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="say how many steps"):
        dream.rollout(lambda frames: torch.zeros(_LANES))
    with pytest.raises(ValueError, match="20 actions a lane for 7 steps"):
        dream.rollout(torch.zeros(20, _LANES, dtype=torch.int64), 7)


def test_only_a_dream_has_tensors() -> None:
    from neural_env import register_game

    with pytest.raises(InvalidOption, match="is no dream"):
        TensorDream(register_game(COUNTING), 2)


@pytest.mark.gpu
def test_frames_stay_on_the_gpu(world: str) -> None:
    dream = TensorDream("Dream/World-v0", _LANES, world=world, device="cuda")
    run = dream.rollout(lambda _: torch.zeros(_LANES, device="cuda"), 5) if dream.reset(seed=0).is_cuda else None
    assert run is not None
    assert run.frames_TBHWC.is_cuda
