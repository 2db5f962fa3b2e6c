"""What the dynamics are trained for: each equation where it can be checked by hand, and what a task learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from data_gen.windows import WindowBatch
from tiny_world import tiny_config, tiny_world
from world_model.forks import drawn_fork
from world_model.objectives.context_noise import ContextNoiseConfig, noised
from world_model.objectives.flow import FlowConfig, flow_point
from world_model.objectives.own_output import dreamt_run
from world_model.objectives.shortcut import shortcut_errors, two_half_steps, velocity
from world_model.sampler import sample
from world_model.training.draws import Draws
from world_model.training.dynamics_task import DynamicsTask, DynamicsTaskConfig
from world_model.world import World

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


def test_a_dreamt_run_goes_the_way_that_the_real_one_went() -> None:
    world, latents = tiny_world(), _latents()
    executed = torch.randint(0, 3, (_LANES, _STEPS, 2), generator=torch.Generator().manual_seed(1))
    real, hint = torch.tensor([1, 2, 5, _STEPS]), torch.tensor([0.0, 0.25, 0.5, 0.5])
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2))
    run = dreamt_run(world, latents, executed, real, noise, hint, changed=0.0, right=0.0)
    for lane, kept in enumerate(real.tolist()):
        assert torch.equal(run[lane, :kept], latents[lane, :kept])
    with torch.no_grad():
        features = world.dynamics.trunk(run, torch.zeros(_LANES, _STEPS), executed)
        for lane, step in [(0, 0), (0, 5), (1, 3), (2, 4)]:
            now, then = run[lane : lane + 1, step], latents[lane : lane + 1, step + 1]
            here, at = features[lane : lane + 1, step], hint[lane : lane + 1]
            answers = torch.cat([world.next_latents(here, now, torch.tensor([fork])) for fork in range(8)])
            nearest = (answers.clamp(-1, 1) - then).square().mean((1, 2)).argmin()
            noisy = (1 - at) * noise[lane : lane + 1, step] + at * then
            taken = world.dynamics.forks.taken(here, nearest[None])
            dreamt = world.dynamics.predict(taken, now, noisy, at, torch.tensor([0.25])).clamp(-1, 1)
            torch.testing.assert_close(run[lane : lane + 1, step + 1], dreamt, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(run[0, 1:], latents[0, 1:])


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
    for step in range(240):
        optimizer.zero_grad()
        losses = (task if step >= 160 else beginning).losses(batch, _draws(step, 16))
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    latents = torch.from_numpy(batch.frames).float()
    with torch.no_grad():
        features = world.dynamics.trunk(latents[:, :-1], torch.zeros(16, _STEPS), torch.from_numpy(batch.executed))
        rows = features.flatten(0, 1), latents[:, :-1].flatten(0, 1)
        following = world.next_latents(*rows, world.dynamics.forks.likeliest(rows[0]))
        reward, ended = world.outcome.probabilities(features.flatten(0, 1), latents[:, :-1].flatten(0, 1), following)
    error = (following - latents[:, 1:].flatten(0, 1)).abs()
    assert error[:, 0].mean() < 0.15
    assert error[:, 1:].mean() < 0.1
    assert (reward.argmax(1) == torch.from_numpy(batch.rewards).flatten()).float().mean() > 0.95
    assert ended.max() < 0.2


def test_what_may_go_either_way_goes_one_way_or_the_other() -> None:
    """The mean of two futures is none of them; each is to be drawn about as often as it comes."""
    world, batch = tiny_world(), _batch()
    with torch.no_grad():
        world.dynamics.correction.weight.zero_()
    task = DynamicsTask(world, DynamicsTaskConfig())
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    generator = np.random.default_rng(0)
    for step in range(250):
        # A coin that no frame foretells: three of four times up.
        frames = np.full(batch.frames.shape, 0.3, np.float16)
        frames[:, 1:, 0] = np.where(generator.random((16, _STEPS, 1)) < 0.75, 0.8, -0.8)
        optimizer.zero_grad()
        task.losses(dataclasses.replace(batch, frames=frames), _draws(step, 16))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    latents, executed = torch.from_numpy(frames).float(), torch.from_numpy(batch.executed)
    with torch.no_grad():
        features_XNE = world.dynamics.trunk(latents[:, :-1], torch.zeros(16, _STEPS), executed).flatten(0, 1)
        uniform_X = torch.rand(len(features_XNE), generator=torch.Generator().manual_seed(0))
        fork_X = drawn_fork(world.dynamics.forks.logits(features_XNE), uniform_X, 1.0)
        side_X = world.next_latents(features_XNE, latents[:, :-1].flatten(0, 1), fork_X)[:, 0].clamp(-1, 1).mean(-1)
        likeliest_X = world.dynamics.forks.likeliest(features_XNE)
        likeliest = world.next_latents(features_XNE, latents[:, :-1].flatten(0, 1), likeliest_X)[:, 0].mean(-1)
    assert ((side_X.abs() - 0.8).abs() < 0.3).float().mean() > 0.9  # a mean over both would be 0.4
    assert 0.6 < (side_X > 0).float().mean() < 0.9
    assert (likeliest > 0.6).float().mean() > 0.9


def test_no_weight_of_an_untrained_world_is_beyond_the_reach_of_learning() -> None:
    """Two factors that both begin at zero stay there: the flow once never learned its own time that way."""
    torch.manual_seed(0)
    world, batch = World(tiny_config()), _batch()
    task = DynamicsTask(world, DynamicsTaskConfig(flow=FlowConfig(one_step_share=0.5)))
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    for step in range(6):
        optimizer.zero_grad()
        task.losses(batch, _draws(step, 16))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    dead = [name for name, weight in task.module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not dead


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
