"""The dynamics: memory equals a pass over the whole run, a still background is free, and lanes do not touch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from world_model.draft import Draft
from world_model.dynamics import Dynamics, DynamicsConfig
from world_model.memory import Memory
from world_model.nearby import Nearby
from world_model.sampler import sample

_GRID, _WIDTH, _ACTIONS, _TICKS, _REACH = (3, 2), 8, 3, 2, 5


@pytest.fixture
def dynamics() -> Dynamics:
    config = DynamicsConfig(width=32, layers=3, time_layers=(0, 2), heads=2, reach=_REACH, memory_width=8)
    made = Dynamics(config, _GRID, _WIDTH, _ACTIONS, _TICKS)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():  # what begins at zero says nothing: let all of it speak
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return made


def _run(steps: int, lanes: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(lanes, steps, 6, _WIDTH, generator=generator)
    executed = torch.randint(-1, _ACTIONS, (lanes, steps, _TICKS), generator=generator)
    return latents, torch.rand(lanes, steps, generator=generator), executed


def _stepped(dynamics: Dynamics, memory: Memory, run: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    features = []
    for latents, level, executed in zip(*(part.unbind(1) for part in run), strict=True):
        features.append(dynamics.take_in(memory, latents, level, executed))
        memory.taken_B += 1
    return torch.stack(features, dim=1)


@torch.no_grad()
def test_stepping_with_memory_equals_one_pass_over_the_run_also_beyond_the_reach(dynamics: Dynamics) -> None:
    run = _run(steps=3 * _REACH + 2)
    torch.testing.assert_close(_stepped(dynamics, dynamics.memory(2), run), dynamics.trunk(*run), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("begun", [1, 2, _REACH])
@torch.no_grad()
def test_a_run_that_was_taken_in_as_a_whole_goes_on_step_by_step(dynamics: Dynamics, begun: int) -> None:
    """A dream begins so: with real frames, which are all known."""
    run = _run(steps=2 * _REACH + begun)
    memory = dynamics.memory(2)
    dynamics.trunk(*(part[:, :begun] for part in run), memory)
    went_on = _stepped(dynamics, memory, tuple(part[:, begun:] for part in run))
    torch.testing.assert_close(went_on, dynamics.trunk(*run)[:, begun:], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_frame_is_seen_for_as_long_as_time_layers_reach_and_not_longer(dynamics: Dynamics) -> None:
    seen = 2 * (_REACH - 1) + dynamics.config.stack - 1  # two time layers, each looking back that far, and the stack
    run = _run(steps=seen + 3)
    changed = run[0].clone()
    changed[:, 0] += 1
    difference = (dynamics.trunk(*run) - dynamics.trunk(changed, *run[1:])).abs().amax((0, 2, 3))
    assert difference[seen] > 1e-7
    assert difference[seen + 1 :].max() == 0


@torch.no_grad()
def test_a_token_sees_the_places_around_it_in_the_last_frames_and_nothing_from_beyond_the_border() -> None:
    nearby = Nearby((3, 4), latent_width=1, stack=2)
    frames = torch.arange(1.0, 37.0).view(1, 3, 12, 1)
    seen = nearby.of_run(frames).view(3, 12, 9, 2)  # frame, token, place around it, age
    assert seen[2, 5, :, 0].tolist() == [25, 26, 27, 29, 30, 31, 33, 34, 35]
    assert seen[2, 5, :, 1].tolist() == [13, 14, 15, 17, 18, 19, 21, 22, 23]
    assert seen[2, 0, :, 0].tolist() == [0, 0, 0, 0, 25, 26, 0, 29, 30]
    assert not seen[0, :, :, 1].any()  # before the first frame there was none


@torch.no_grad()
def test_the_future_does_not_reach_the_past(dynamics: Dynamics) -> None:
    latents, level, executed = _run(steps=6)
    before = dynamics.trunk(latents, level, executed)
    latents[:, 4] += 1
    executed[:, 4] = (executed[:, 4] + 1) % _ACTIONS
    after = dynamics.trunk(latents, level, executed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4], after[:, 4])


@torch.no_grad()
def test_every_executed_tick_counts_and_its_place_among_the_ticks_too(dynamics: Dynamics) -> None:
    latents, level, _ = _run(steps=1, lanes=1)
    ticks = [(0, 0), (0, 1), (1, 0), (1, 1), (-1, 1)]
    features = [dynamics.trunk(latents, level, torch.tensor([[each]])) for each in ticks]
    for first in range(len(ticks)):
        for second in range(first):
            assert not torch.allclose(features[first], features[second], atol=1e-4)


@torch.no_grad()
def test_lanes_that_start_at_different_times_share_a_memory(dynamics: Dynamics) -> None:
    run = _run(steps=9)
    alone = _stepped(dynamics, dynamics.memory(2), run)
    memory = dynamics.memory(2)
    _stepped(dynamics, memory, _first(run, 4))
    memory.put(torch.tensor([1]), dynamics.memory(1))  # lane 1 begins anew, four frames into lane 0's life
    late = _stepped(dynamics, memory, tuple(torch.stack([part[0, 4:9], part[1, :5]]) for part in run))
    torch.testing.assert_close(late[0], alone[0, 4:9], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(late[1], alone[1, :5], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_an_untrained_world_stands_still() -> None:
    config = DynamicsConfig(width=32, layers=1, time_layers=(0,), heads=2, reach=4, memory_width=8)
    dynamics = Dynamics(config, _GRID, _WIDTH, _ACTIONS, _TICKS)
    latents, level, executed = _run(steps=2)
    features = dynamics.trunk(latents, level, executed)[:, -1]
    drawn = sample(dynamics, features, latents[:, -1], 3, 1.0, torch.full((2, 6), 0.5))
    assert torch.equal(drawn, latents[:, -1])


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_was_never_seen_in_a_place_is_never_drawn_there(dynamics: Dynamics, temperature: float) -> None:
    nn.init.zeros_(dynamics.correction.weight)
    nn.init.zeros_(dynamics.correction.bias)
    nn.init.constant_(dynamics.glyphs.gate.bias, 100.0)  # everything changes
    nn.init.normal_(dynamics.glyphs.contents_VD, generator=torch.Generator().manual_seed(2))
    only_N = torch.arange(6) * 7
    dynamics.glyphs.seen_NV[:] = torch.arange(dynamics.glyphs.count) == only_N[:, None]
    latents, level, executed = _run(steps=2)
    features = dynamics.trunk(latents, level, executed)[:, -1]
    drawn = sample(dynamics, features, latents[:, -1], 5, temperature, torch.rand(2, 6))
    assert torch.equal(drawn, dynamics.glyphs.contents_VD[only_N].expand(2, -1, -1))


def _first(run: tuple[Tensor, Tensor, Tensor], steps: int) -> tuple[Tensor, Tensor, Tensor]:
    latents, level, executed = run
    return latents[:, :steps], level[:, :steps], executed[:, :steps]


@torch.no_grad()
def test_looking_at_some_tokens_alone_sees_what_looking_at_all_does(dynamics: Dynamics) -> None:
    generator = torch.Generator().manual_seed(0)
    features, base = torch.randn(2, 6, 32, generator=generator), torch.randn(2, 6, _WIDTH, generator=generator)
    draft = Draft(torch.arange(6).expand(2, 6) < 3, torch.arange(6).expand(2, 6) % 2 == 0, torch.zeros(2, 6).long())
    wanted = torch.tensor([4, 1])
    torch.testing.assert_close(
        dynamics.look(features, base, draft, wanted), dynamics.look(features, base, draft)[:, wanted]
    )
