"""What the dynamics are trained for: each equation where it can be checked by hand, and what a task learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from data_gen.windows import WindowBatch
from tiny_world import tiny_world
from world_model.objectives.context_noise import ContextNoiseConfig, noised
from world_model.objectives.flow import FlowConfig, flow_point
from world_model.objectives.own_output import dreamt_run
from world_model.objectives.shortcut import shortcut_errors, two_half_steps, velocity
from world_model.sampler import sample
from world_model.training.draws import Draws
from world_model.training.dynamics_task import DynamicsTask, DynamicsTaskConfig

_LANES, _STEPS = 4, 7


def _draws(step: int = 0, rows: int = _LANES) -> Draws:
    return Draws(0, step, 0, rows, rows)


def _latents(lanes: int = _LANES, steps: int = _STEPS) -> Tensor:
    return torch.rand(lanes, steps, 9, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_point_of_the_flow_lies_on_the_line_from_noise_to_clean() -> None:
    clean = _latents(64, 30)
    one = flow_point(clean, _draws(rows=64), FlowConfig(one_step_share=0.5, still_share=0.5))
    flat = clean.flatten(0, 1)
    evaluations = (1 / one.stride_X).round()
    assert set(evaluations.tolist()) == {1.0, 2.0, 4.0, 8.0}
    assert torch.allclose((one.tau_X * evaluations).round(), one.tau_X * evaluations, atol=1e-5)
    assert (one.tau_X[evaluations == 1] == 0).all()
    still = (one.noisy_XND == 0).flatten(1).all(1)
    assert 0.2 < still.float().mean() < 0.3
    assert (evaluations[still] == 1).all()
    ahead = ~still
    tau = one.tau_X[ahead, None, None]
    noise = (one.noisy_XND[ahead] - tau * flat[ahead]) / (1 - tau)
    assert abs(noise.std() - 1) < 0.02


def test_context_noise_says_what_it_did() -> None:
    latents = torch.ones(64, 30, 9, 16)
    context, level = noised(latents, _draws(rows=64), ContextNoiseConfig(clean_share=0.25, highest=0.4))
    clean = level == 0
    assert 0.2 < clean.float().mean() < 0.3
    assert torch.equal(context[clean], latents[clean])
    assert 0.38 < level.max() < 0.4
    strong = level > 0.2
    mean, spread = context[strong].mean((1, 2)), context[strong].flatten(1).std(1)
    assert torch.allclose(mean, 1 - level[strong], atol=0.2)
    assert torch.allclose(spread, level[strong], rtol=0.3)


def test_an_exact_flow_needs_no_shortcut_and_a_bent_one_does() -> None:
    clean = _latents().flatten(0, 1)
    noisy, tau = torch.randn(clean.shape), torch.full((len(clean),), 0.25)
    stride = torch.full_like(tau, 0.5)

    def straight(x: Tensor, tau: Tensor, stride: Tensor) -> Tensor:
        return clean

    target = two_half_steps(straight, noisy, tau, stride)
    torch.testing.assert_close(target, velocity(clean, noisy, tau), atol=1e-4, rtol=1e-4)
    assert shortcut_errors(clean, noisy, tau, target).max() < 1e-6
    assert shortcut_errors(clean + 0.1, noisy, tau, target).mean() == pytest.approx(0.01, rel=1e-3)

    def bent(x: Tensor, tau: Tensor, stride: Tensor) -> Tensor:
        return clean + tau[:, None, None]

    by_hand = velocity(clean + 0.25, noisy, tau)
    there = noisy + by_hand * 0.25
    by_hand = (by_hand + velocity(clean + 0.5, there, tau + 0.25)) / 2
    torch.testing.assert_close(two_half_steps(bent, noisy, tau, stride), by_hand)


@pytest.mark.parametrize("evaluations", [1, 2, 4, 8])
def test_the_sampler_reaches_what_the_network_says_is_clean(evaluations: int) -> None:
    clean, seen = _latents().flatten(0, 1), []

    def predict(x: Tensor, tau: Tensor, stride: Tensor) -> Tensor:
        seen.append((float(tau[0]), float(stride[0])))
        return clean

    assert torch.equal(sample(predict, torch.randn(clean.shape), evaluations), clean)
    assert seen == [(turn / evaluations, 1 / evaluations) for turn in range(evaluations)]


def test_a_dreamt_run_is_what_stepping_would_give() -> None:
    world, latents = tiny_world(), _latents()
    executed = torch.randint(0, 3, (_LANES, _STEPS, 2), generator=torch.Generator().manual_seed(1))
    real = torch.tensor([1, 2, 5, _STEPS])
    run = dreamt_run(world, latents, executed, real)
    for lane, kept in enumerate(real.tolist()):
        assert torch.equal(run[lane, :kept], latents[lane, :kept])
    with torch.no_grad():
        features = world.dynamics.trunk(run, torch.zeros(_LANES, _STEPS), executed)
        following = world.next_latents(features.flatten(0, 1), run.flatten(0, 1)).unflatten(0, (_LANES, _STEPS))
    torch.testing.assert_close(run[0, 1:], following[0, :-1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(run[0, 1:], latents[0, 1:])


def test_a_run_that_is_drawn_is_what_the_sampler_draws() -> None:
    """Where several things can follow, a world that only ever saw its own means has never seen one of them."""
    world, latents = tiny_world(), _latents()
    executed = torch.randint(0, 3, (_LANES, _STEPS, 2), generator=torch.Generator().manual_seed(1))
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2))
    run = dreamt_run(world, latents, executed, torch.ones(_LANES, dtype=torch.int64), noise, evaluations=4)
    with torch.no_grad():
        features = world.dynamics.trunk(run, torch.zeros(_LANES, _STEPS), executed)
        rows = (each.flatten(0, 1) for each in (features, run, noise))
        following = world.next_latents(*rows, evaluations=4).unflatten(0, (_LANES, _STEPS))
    torch.testing.assert_close(run[:, 1:], following[:, :-1], atol=1e-5, rtol=1e-5)
    plain = dreamt_run(world, latents, executed, torch.ones(_LANES, dtype=torch.int64))
    assert not torch.allclose(run[:, 1:], plain[:, 1:])


def _batch() -> WindowBatch:
    """Latents whose first token is what was played a step ago, and a reward for playing 2."""
    generator = np.random.default_rng(0)
    actions = generator.integers(0, 3, (16, _STEPS))
    latents = np.full((16, _STEPS + 1, 9, 16), 0.3, np.float16)
    latents[:, 1:, 0] = (actions[..., None] - 1) * 0.8
    latents[:, 0, 0] = 0
    rewards = (actions == 2).astype(np.float32)
    ended = np.zeros((16, _STEPS), np.bool_)
    places = np.zeros(16, np.int64)
    return WindowBatch(latents, actions, np.repeat(actions[..., None], 2, 2), rewards, ended, places, places)


@pytest.mark.parametrize(
    "config",
    [
        DynamicsTaskConfig(pixels=2.0),
        DynamicsTaskConfig(dreamt=1.0),
        DynamicsTaskConfig(shortcut=0.5, action_dropout=0.1),
    ],
    ids=["forced", "own output", "shortcut"],
)
def test_the_actions_lead_and_their_rewards_are_learned(config: DynamicsTaskConfig) -> None:
    world = tiny_world()
    with torch.no_grad():
        world.dynamics.correction.weight.zero_()
    world.outcome.set_shares([0.6, 0.3, 0.1], 0.01)
    beginning, task, batch = DynamicsTask(world, DynamicsTaskConfig()), DynamicsTask(world, config), _batch()
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    for step in range(180):
        optimizer.zero_grad()
        losses = (task if step >= 120 else beginning).losses(batch, _draws(step, 16))
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    latents = torch.from_numpy(batch.frames).float()
    with torch.no_grad():
        features = world.dynamics.trunk(latents[:, :-1], torch.zeros(16, _STEPS), torch.from_numpy(batch.executed))
        following = world.next_latents(features.flatten(0, 1), latents[:, :-1].flatten(0, 1))
        reward, ended = world.outcome.probabilities(features.flatten(0, 1), latents[:, :-1].flatten(0, 1), following)
    error = (following - latents[:, 1:].flatten(0, 1)).abs()
    assert error[:, 0].mean() < 0.15
    assert error[:, 1:].mean() < 0.1
    assert (reward.argmax(1) == torch.from_numpy(batch.rewards).flatten()).float().mean() > 0.95
    assert ended.max() < 0.2


def test_a_step_of_the_task_depends_on_nothing_but_seed_and_step() -> None:
    task, batch = DynamicsTask(tiny_world(), DynamicsTaskConfig(dreamt=0.5)), _batch()
    torch.manual_seed(1)
    first = [float(task.losses(batch, _draws(step, 16))["loss"].detach()) for step in range(4)]
    torch.manual_seed(2)
    again = [float(task.losses(batch, _draws(step, 16))["loss"].detach()) for step in range(4)]
    assert first == again
    assert len(set(first)) == 4


def test_tokens_that_a_dream_got_wrong_weigh_as_much_as_tokens_that_move() -> None:
    world, batch = tiny_world(), _batch()
    still = DynamicsTask(world, DynamicsTaskConfig(changed=0.0, dreamt=1.0, pixels=0.0))
    weighed = DynamicsTask(world, DynamicsTaskConfig(changed=10.0, dreamt=1.0, pixels=0.0))
    plain, heavy = (float(task.losses(batch, _draws(0, 16))["latent"]) for task in (still, weighed))
    assert heavy > 5 * plain  # an untrained world gets nearly every token wrong
