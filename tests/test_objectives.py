"""What the dynamics are trained for: each equation where it can be checked by hand, and what a task learns."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_gen.split_cache import WindowBatch
from tiny_world import tiny_config, tiny_world
from world_model.draft import Draft
from world_model.glyphs import PHASES, drawn_change, drawn_glyph, phases
from world_model.objectives import own_output
from world_model.objectives.context_noise import ContextNoiseConfig, noised
from world_model.objectives.missed_changes import MissedConfig, with_missed_changes
from world_model.objectives.own_output import dreamt_run
from world_model.objectives.shown_glyphs import ShownConfig, shown_glyphs
from world_model.objectives.strange_tokens import StrangeConfig, with_strange_tokens
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


def test_a_change_that_was_missed_is_missing_until_something_moves_there() -> None:
    moves = torch.rand(64, 12, 9, generator=torch.Generator().manual_seed(0)) < 0.3
    latents = (moves.cumsum(1) * 0.5)[..., None].expand(-1, -1, -1, 16)
    run = with_missed_changes(latents, _draws(rows=64), MissedConfig(clean_share=0.25, highest=1.0), 0.1)
    wrong = (run != latents).any(-1)
    assert 0.2 < 1 - wrong.flatten(1).any(1).float().mean() < 0.35
    assert wrong.any()
    assert not wrong[:, 0].any()
    begins = wrong[:, 1:] & ~wrong[:, :-1]
    assert moves[:, 1:][begins].all()
    stays = wrong[:, 1:] & wrong[:, :-1]
    assert torch.equal(run[:, 1:][stays], run[:, :-1][stays])
    ends = ~wrong[:, 1:] & wrong[:, :-1]
    assert moves[:, 1:][ends].all()


def test_a_strange_token_is_what_its_place_holds_in_some_other_frame_for_a_stretch() -> None:
    latents, others = torch.zeros(256, 12, 9, 16), (1 + torch.arange(45.0)).view(5, 9, 1).expand(-1, -1, 16)
    run = with_strange_tokens(latents, others, _draws(rows=256), StrangeConfig(clean_share=0.25, highest=1.0))
    strange = (run != latents).any(-1)
    assert 0.25 < 1 - strange.flatten(1).any(1).float().mean() < 0.4
    whose = torch.where(strange, (run[..., 0] - 1) % 9, torch.arange(9.0))
    assert torch.equal(whose, torch.arange(9.0).expand_as(whose))
    begins = strange[:, 1:] & ~strange[:, :-1]
    assert begins.sum(1).max() == 1
    assert strange[:, 0].any()
    assert strange.all(1).any()
    kept = strange[:, 1:] & strange[:, :-1]
    assert torch.equal(run[:, 1:][kept], run[:, :-1][kept])


@pytest.mark.parametrize("rounds", [0, 1, 2, 3, 4])
@torch.no_grad()
def test_every_token_is_decided_once_seeing_those_of_the_rounds_before(rounds: int, monkeypatch: Any) -> None:
    dynamics, looks = tiny_world().dynamics, []
    look = dynamics.look

    def watched(features: Tensor, base: Tensor, draft: Draft, *wanted: Tensor) -> Tensor:
        looks.append(copy.deepcopy(draft))
        return look(features, base, draft, *wanted)

    monkeypatch.setattr(dynamics, "look", watched)
    features, base, uniform = torch.randn(2, 9, 32), torch.rand(2, 9, 16), torch.rand(2, 9)
    landed = sample(dynamics, features, base, 1 + rounds, 1.0, uniform)
    assert len(looks) == 1 + rounds
    for before, after in itertools.pairwise(looks):
        now = after.known_XN & ~before.known_XN
        assert now.any()
        assert not (before.known_XN & ~after.known_XN).any()
        x = look(features, base, before)
        changes, left = drawn_change(dynamics.glyphs.change_logits(x), uniform, 1.0)
        glyph = drawn_glyph(dynamics.glyphs.logits(x), left, 1.0)
        assert torch.equal(after.changes_XN, torch.where(now, changes, before.changes_XN))
        assert torch.equal(after.glyph_XN, torch.where(now & changes, glyph, before.glyph_XN))
        drawn = now[0].view(3, 3)
        if rounds >= 2:
            assert not (drawn[1:] & drawn[:-1]).any()
            assert not (drawn[:, 1:] & drawn[:, :-1]).any()
        if rounds == PHASES:
            assert not (drawn[1:, 1:] & drawn[:-1, :-1]).any()
    last = looks[-1]
    assert last.known_XN.all() == (rounds > 0)
    assert last.changes_XN.any() == (rounds > 0)
    assert torch.equal(landed, dynamics.land(look(features, base, last), base, last))


@torch.no_grad()
def test_a_token_that_stays_is_the_same_to_the_last_bit_and_one_that_changes_begins_at_its_glyph() -> None:
    dynamics = tiny_world().dynamics
    base, glyph = torch.rand(1, 9, 16), torch.arange(9)[None]
    known = torch.arange(9)[None] % 3 > 0
    changes = torch.arange(9)[None] % 3 == 2
    draft = Draft(known, changes, glyph)
    correction = dynamics.correction(x := dynamics.look(torch.randn(1, 9, 32), base, draft))
    landed = dynamics.land(x, base, draft)
    contents = dynamics.glyphs.contents_VD[glyph]
    assert torch.equal(landed[known & ~changes], base[known & ~changes])
    assert torch.equal(landed[known & changes], (contents + correction)[known & changes])
    assert torch.equal(landed[~known], (base + correction)[~known])


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
    agree = []
    for lane, step in [(0, 0), (0, 5), (1, 3), (2, 4)]:
        base = run[lane : lane + 1, step]
        came = dynamics.glyphs.what_came(base, latents[lane : lane + 1, step + 1])
        draft = Draft(torch.ones(1, 9, dtype=torch.bool), *came)
        look = dynamics.look(features[lane : lane + 1, step], base, draft)
        landed = dynamics.land(look, base, draft).clamp(-1, 1)
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
    ticks, rows = np.repeat(actions[..., None], 2, 2), np.arange(16) * (_STEPS + 1)
    return WindowBatch(latents, actions, ticks, rewards, ended, ~ended, rows, places, places)


def _task(world: World, **options: Any) -> DynamicsTask:
    options = {"missed": MissedConfig(clean_share=1.0), **options}  # what is learned in seconds needs real runs
    return DynamicsTask(world, DynamicsTaskConfig(**options), others_FND=_latents()[0])


@pytest.mark.parametrize(
    "options",
    [
        {"pixels": 2.0},
        {"dreamt": 1.0},
        {"action_dropout": 0.1},
    ],
    ids=["forced", "own output", "dropout"],
)
@pytest.mark.parametrize("evaluations", [1, 3])
def test_the_actions_lead_and_their_rewards_are_learned(options: dict[str, float], evaluations: int) -> None:
    world = tiny_world()
    with torch.no_grad():
        world.dynamics.correction.weight.zero_()
    world.outcome.set_shares([0.6, 0.3, 0.1], 0.01)
    beginning, task, batch = _task(world), _task(world, **options), _batch()
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    for step in range(280):
        optimizer.zero_grad()
        losses = (task if step >= 200 else beginning).losses(batch, _draws(step, 16))
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    latents = torch.from_numpy(batch.frames).float()
    with torch.no_grad():
        features = world.dynamics.trunk(latents[:, :-1], torch.zeros(16, _STEPS), torch.from_numpy(batch.executed))
        rows = features.flatten(0, 1), latents[:, :-1].flatten(0, 1)
        following = sample(world.dynamics, *rows, evaluations, 0.0, rows[1][..., 0])
        paid = world.outcome.paid_before(torch.from_numpy(batch.rewards)).flatten(0, 1)
        reward, ended = world.outcome.probabilities(features.flatten(0, 1), rows[1], following, paid)
    error = (following - latents[:, 1:].flatten(0, 1)).abs()
    assert error[:, 0].mean() < 0.15
    assert error[:, 1:].mean() < 0.1
    assert (reward.argmax(1) == torch.from_numpy(batch.rewards).flatten()).float().mean() > 0.95
    assert (reward * ended).sum(-1).max() < 0.2


def test_steps_at_moments_weigh_as_much_more_as_was_asked() -> None:
    """What one half of all steps weighs more and what the other half does is what all steps weigh."""
    world, batch = tiny_world(), _batch()
    odd = torch.arange(16 * (_STEPS + 1)) % 2 == 1
    told: dict[str, dict[str, Tensor]] = {}
    for name, moments in {"none": ~odd & odd, "odd": odd, "even": ~odd, "all": odd | ~odd}.items():
        task = DynamicsTask(world, DynamicsTaskConfig(moment=3.0), _latents()[0], moments)
        told[name] = task.losses(batch, _draws(rows=16))
    for loss in ("latent", "likelihood"):
        none, odd_more, even_more, all_more = (float(told[name][loss]) for name in ("none", "odd", "even", "all"))
        assert all_more == pytest.approx(4 * none, rel=1e-4)
        assert odd_more + even_more == pytest.approx(none + all_more, rel=1e-4)
        assert none < odd_more < all_more


def test_what_may_go_either_way_goes_one_way_or_the_other() -> None:
    """The mean of two futures is none of them; each is to be drawn about as often as it comes, and as a whole."""
    world, batch, generator = tiny_world(), _batch(), np.random.default_rng(0)
    with torch.no_grad():
        world.dynamics.correction.weight.zero_()
        world.dynamics.glyphs.contents_VD.fill_(9.0)[:3] = torch.tensor([[0.3], [0.8], [-0.8]])
    task = _task(world)
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    for step in range(400):
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
        drawn = sample(world.dynamics, features, base, 3, 1.0, uniform)[:, :2].mean(-1)
        first, second = drawn.view(16, _STEPS, 2)[:, 1:].unbind(-1)  # nothing is learned of a window's first step
    assert ((first.abs() - 0.8).abs() < 0.3).float().mean() > 0.9  # a mean over both would be 0.4
    assert 0.6 < (first > 0).float().mean() < 0.9
    assert (first.sign() == -second.sign()).float().mean() > 0.9


def test_no_weight_of_an_untrained_world_is_beyond_the_reach_of_learning() -> None:
    """Two factors that both begin at zero stay there: the flow once never learned its own time that way."""
    torch.manual_seed(0)
    world, batch = World(tiny_config()), _batch()
    world.dynamics.glyphs.contents_VD.uniform_(-1, 1)  # found in the data, not learned
    task = _task(world)
    optimizer = torch.optim.AdamW(task.module.parameters(), 3e-3)
    for step in range(6):
        optimizer.zero_grad()
        task.losses(batch, _draws(step, 16))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    dead = [name for name, weight in task.module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not dead


def test_a_step_of_the_task_depends_on_nothing_but_seed_and_step() -> None:
    task, batch = _task(tiny_world(), dreamt=0.5), _batch()
    torch.manual_seed(1)
    first = [float(task.losses(batch, _draws(step, 16))["loss"].detach()) for step in range(4)]
    torch.manual_seed(2)
    again = [float(task.losses(batch, _draws(step, 16))["loss"].detach()) for step in range(4)]
    assert first == again
    assert len(set(first)) == 4


@pytest.mark.parametrize("dreamt", [0.0, 1.0])
def test_of_a_frame_that_nobody_has_seen_nothing_is_learned_but_the_end(dreamt: float) -> None:
    """Doom shows no picture after the last tick: the recording repeats the one before it."""
    batch, task = _batch(), _task(tiny_world(), dreamt=dreamt, pixels=1.0, pixel_share=1.0)
    ended, shown = batch.terminated.copy(), batch.shown.copy()
    ended[:, -1], shown[:, -1] = True, False
    unseen = dataclasses.replace(batch, terminated=ended, shown=shown)
    elsewhere = batch.frames.copy()
    elsewhere[:, -1] = -0.7
    one, other = (task.losses(each, _draws(0, 16)) for each in (unseen, dataclasses.replace(unseen, frames=elsewhere)))
    assert all(torch.equal(loss, other[name]) for name, loss in one.items())
    alive = task.losses(dataclasses.replace(unseen, terminated=batch.terminated), _draws(0, 16))
    assert alive["termination"] != one["termination"]


def test_ends_without_a_picture_are_as_frequent_beside_draws_and_means_as_in_the_game(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else how a frame was made would be the sign of the end: a sharp dream never ended, or at once.

    Rewards, too: a game that ends within a step pays for a part of it, which says that it has ended.
    """
    world, batch = tiny_world(), _batch()
    shown = batch.shown.copy()
    shown[:, -1] = False
    drawn, asked, own_losses = [], [], world.outcome.losses

    def watched(*arguments: Any) -> Tensor:
        drawn.append(len(arguments[1]))
        return sample(*arguments)

    def losses(logits: Any, rewards_X: Tensor, terminated_X: Tensor) -> Any:
        asked.append((~rewards_X.isnan()).view(16, -1).float().mean(0))
        return own_losses(logits, rewards_X, terminated_X)

    monkeypatch.setattr(dynamics_task, "sample", watched)
    monkeypatch.setattr(world.outcome, "losses", losses)
    config = DynamicsTaskConfig(shown=ShownConfig(nothing=0.4, everything=0.3), dreamt=0.0)
    task = DynamicsTask(world, config, others_FND=_latents()[0], ends_shown=False)
    for step in range(40):
        task.losses(dataclasses.replace(batch, shown=shown, terminated=~shown), _draws(step, 16))
    asked_T = torch.stack(asked).mean(0)
    assert sum(drawn) / (40 * shown.size) == pytest.approx(0.3, abs=0.04), "of all steps, not of ends alone"
    assert asked_T.tolist() == pytest.approx([0.7] * shown.shape[1], abs=0.06), "never beside true frames, without ends"


def test_of_some_windows_nobody_knows_what_was_paid_before_some_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a start, whose frames are known and whose rewards are not."""
    world, batch, told = tiny_world(), _batch(), []
    paid_before = world.outcome.paid_before

    def watched(rewards_BT: Tensor) -> Tensor:
        told.append(~rewards_BT.isnan())
        return paid_before(rewards_BT)

    monkeypatch.setattr(world.outcome, "paid_before", watched)
    task = _task(world, untold=0.5)
    for step in range(40):
        task.losses(batch, _draws(step, 16))
    told_RT = torch.cat(told)
    since_R = told_RT.int().argmax(1)
    assert torch.equal(told_RT, torch.arange(_STEPS) >= since_R[:, None]), "from some step on all"
    shares = torch.bincount(since_R, minlength=_STEPS) / len(since_R)
    assert shares[1:].tolist() == pytest.approx([0.5 / _STEPS] * (_STEPS - 1), abs=0.03)


def test_tokens_that_a_dream_got_wrong_weigh_as_much_as_tokens_that_move() -> None:
    world, batch = tiny_world(), _batch()
    still = _task(world, changed=0.0, dreamt=1.0, pixels=0.0)
    weighed = _task(world, changed=10.0, dreamt=1.0, pixels=0.0)
    plain, heavy = (float(task.losses(batch, _draws(0, 16))["latent"]) for task in (still, weighed))
    assert heavy > 3 * plain  # with what moves in the game alone, a ninth of the tokens, it would be 2


def test_what_is_learned_in_bfloat16_is_dreamt_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def watched(*arguments: Any) -> Tensor:
        made.append(dreamt_run(*arguments))
        return made[-1]

    monkeypatch.setattr(dynamics_task, "dreamt_run", watched)
    task = _task(tiny_world(), dreamt=1.0)
    for precision in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision):
            assert task.losses(_batch(), _draws(0, 16))["loss"].isfinite()
    assert torch.equal(*made)
