"""What the dynamics are trained for: each equation where it can be checked by hand, and what a task learns."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_gen.windows import WindowBatch
from tiny_world import tiny_config, tiny_world
from world_model.glyphs import PHASES, drawn_glyph, phases
from world_model.objectives import own_output
from world_model.objectives.context_noise import ContextNoiseConfig, noised
from world_model.objectives.own_output import dreamt_run
from world_model.objectives.shown_glyphs import ShownConfig, shown_glyphs
from world_model.sampler import sample
from world_model.training import dynamics_task
from world_model.training.draws import Draws
from world_model.training.dynamics_task import DynamicsTask, DynamicsTaskConfig
from world_model.world import World

_LANES, _STEPS = 4, 7


def _draws(step: int = 0, rows: int = _LANES) -> Draws:
    return Draws(0, step, 0, rows, rows)


def _latents(lanes: int = _LANES, steps: int = _STEPS) -> Tensor:
    return torch.rand(lanes, steps, 9, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_head_is_shown_as_much_as_at_some_moment_of_a_draw() -> None:
    phase = phases((3, 3))
    known = shown_glyphs(phase, 500, _draws(rows=8), ShownConfig(nothing=0.4, everything=0.3))
    assert known.shape == (4000, 9)
    stages = [phase < count for count in range(PHASES + 1)]
    shares = [float((known == stage).all(1).float().mean()) for stage in stages]
    assert np.allclose(shares, [0.4, 0.1, 0.1, 0.1, 0.3], atol=0.03)


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


@pytest.mark.parametrize("rounds", [0, 1, 2, 3, 4])
@torch.no_grad()
def test_every_glyph_is_drawn_once_seeing_those_of_the_rounds_before(rounds: int, monkeypatch: Any) -> None:
    dynamics, looks = tiny_world().dynamics, []
    look = dynamics.look

    def watched(features: Tensor, glyph: Tensor, known: Tensor) -> Tensor:
        looks.append((glyph.clone(), known.clone()))
        return look(features, glyph, known)

    monkeypatch.setattr(dynamics, "look", watched)
    features, base, uniform = torch.randn(2, 9, 32), torch.rand(2, 9, 16), torch.rand(2, 9)
    landed = sample(dynamics, features, base, 1 + rounds, 1.0, uniform)
    assert len(looks) == 1 + rounds
    for (before, known), (after, then_known) in itertools.pairwise(looks):
        now = then_known & ~known
        assert now.any()
        assert not (known & ~then_known).any()
        assert torch.equal(before[known], after[known])
        expected = drawn_glyph(dynamics.glyphs.logits(look(features, before, known)), uniform, 1.0)
        assert torch.equal(after[now], expected[now])
        drawn = now[0].view(3, 3)
        if rounds >= 2:
            assert not (drawn[1:] & drawn[:-1]).any()
            assert not (drawn[:, 1:] & drawn[:, :-1]).any()
        if rounds == PHASES:
            assert not (drawn[1:, 1:] & drawn[:-1, :-1]).any()
    glyph, known = looks[-1]
    assert known.all() == (rounds > 0)
    assert torch.equal(landed, dynamics.land(look(features, glyph, known), base))


@pytest.mark.parametrize("lean", [0.0, 100.0])
@torch.no_grad()
def test_a_dreamt_run_goes_the_way_that_the_real_one_went(lean: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_output, "_STRAYED", 10.0)  # nothing is
    world, latents = tiny_world(), _latents()
    dynamics = world.dynamics
    executed = torch.randint(0, 3, (_LANES, _STEPS, 2), generator=torch.Generator().manual_seed(1))
    real, uniform = torch.tensor([1, 2, 5, _STEPS]), torch.rand(_LANES, _STEPS, 9)
    run = dreamt_run(world, latents, executed, real, uniform, lean)
    for lane, kept in enumerate(real.tolist()):
        assert torch.equal(run[lane, :kept], latents[lane, :kept])
    assert not torch.allclose(run[0, 1:], latents[0, 1:])
    features = dynamics.trunk(run, torch.zeros(_LANES, _STEPS), executed)
    came = dynamics.glyphs.nearest(latents.flatten(0, 1)).view(_LANES, _STEPS, 9)
    known = torch.ones(1, 9, dtype=torch.bool)
    agree = []
    for lane, step in [(0, 0), (0, 5), (1, 3), (2, 4)]:
        look = dynamics.look(features[lane : lane + 1, step], came[lane : lane + 1, step + 1], known)
        landed = dynamics.land(look, run[lane : lane + 1, step]).clamp(-1, 1)
        agree.append(torch.allclose(run[lane : lane + 1, step + 1], landed, atol=1e-4))
    assert all(agree) == (lean > 0)


@torch.no_grad()
def test_a_dream_that_has_strayed_is_brought_back() -> None:
    """Real frames that are noise are dreamt by nobody: two dreamt ones, a real one, and so on."""
    latents, executed = _latents(), torch.zeros(_LANES, _STEPS, 2, dtype=torch.int64)
    real, uniform = torch.tensor([1, 2, 5, _STEPS]), torch.rand(_LANES, _STEPS, 9)
    run = dreamt_run(tiny_world(), latents, executed, real, uniform, lean=0.0)
    is_real = (run == latents).flatten(2).all(-1).int().tolist()
    assert is_real == [[1, 0, 0, 1, 0, 0, 1], [1, 1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0, 0], [1] * 7]


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
        DynamicsTaskConfig(action_dropout=0.1),
    ],
    ids=["forced", "own output", "dropout"],
)
@pytest.mark.parametrize("evaluations", [1, 3])
def test_the_actions_lead_and_their_rewards_are_learned(config: DynamicsTaskConfig, evaluations: int) -> None:
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
        following = sample(world.dynamics, *rows, evaluations, 0.0, rows[1][..., 0])
        reward, ended = world.outcome.probabilities(features.flatten(0, 1), latents[:, :-1].flatten(0, 1), following)
    error = (following - latents[:, 1:].flatten(0, 1)).abs()
    assert error[:, 0].mean() < 0.15
    assert error[:, 1:].mean() < 0.1
    assert (reward.argmax(1) == torch.from_numpy(batch.rewards).flatten()).float().mean() > 0.95
    assert ended.max() < 0.2


def test_what_may_go_either_way_goes_one_way_or_the_other() -> None:
    """The mean of two futures is none of them; each is to be drawn about as often as it comes, and as a whole."""
    world, batch, generator = tiny_world(), _batch(), np.random.default_rng(0)
    with torch.no_grad():
        world.dynamics.correction.weight.zero_()
        world.dynamics.glyphs.contents_VD.fill_(9.0)[:3] = torch.tensor([[0.3], [0.8], [-0.8]])
    task = DynamicsTask(world, DynamicsTaskConfig())
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    for step in range(250):
        # A coin that no frame foretells: three of four times one token goes up and the one beside it down.
        up = generator.random((16, _STEPS, 1)) < 0.75
        frames = np.full(batch.frames.shape, 0.3, np.float16)
        frames[:, 1:, 0], frames[:, 1:, 1] = np.where(up, 0.8, -0.8), np.where(up, -0.8, 0.8)
        optimizer.zero_grad()
        task.losses(dataclasses.replace(batch, frames=frames), _draws(step, 16))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    latents, executed = torch.from_numpy(frames).float(), torch.from_numpy(batch.executed)
    with torch.no_grad():
        features = world.dynamics.trunk(latents[:, :-1], torch.zeros(16, _STEPS), executed).flatten(0, 1)
        uniform = torch.rand(len(features), 9, generator=torch.Generator().manual_seed(0))
        base = latents[:, :-1].flatten(0, 1)
        first, second = sample(world.dynamics, features, base, 3, 1.0, uniform)[:, :2].mean(-1).unbind(1)
    assert ((first.abs() - 0.8).abs() < 0.3).float().mean() > 0.9  # a mean over both would be 0.4
    assert 0.6 < (first > 0).float().mean() < 0.9
    assert (first.sign() == -second.sign()).float().mean() > 0.9


def test_no_weight_of_an_untrained_world_is_beyond_the_reach_of_learning() -> None:
    """Two factors that both begin at zero stay there: the flow once never learned its own time that way."""
    torch.manual_seed(0)
    world, batch = World(tiny_config()), _batch()
    world.dynamics.glyphs.contents_VD.uniform_(-1, 1)  # found in the data, not learned
    task = DynamicsTask(world, DynamicsTaskConfig())
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


def test_what_is_learned_in_bfloat16_is_dreamt_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def watched(*arguments: Any) -> Tensor:
        made.append(dreamt_run(*arguments))
        return made[-1]

    monkeypatch.setattr(dynamics_task, "dreamt_run", watched)
    task = DynamicsTask(tiny_world(), DynamicsTaskConfig(dreamt=1.0))
    for precision in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision):
            assert task.losses(_batch(), _draws(0, 16))["loss"].isfinite()
    assert torch.equal(*made)
