"""A world that begins from another one: the same at first, a wider local perceptron too; other sizes are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tiny_world import tiny_bundle, tiny_config, tiny_starts, tiny_world
from world_model.bundle import save_world
from world_model.simulator import SimulatorConfig
from world_model.training.begin_from import begin_from
from world_model.world import World


def _fresh(**sizes: Any) -> World:
    """A world that has learned nothing."""
    config = tiny_config()
    torch.manual_seed(3)
    return World(dataclasses.replace(config, dynamics=dataclasses.replace(config.dynamics, **sizes)))


def _features(world: World) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    tokens, width = world.dynamics.place.shape[0], world.dynamics.nearby.latent_width
    latents_BTND = torch.rand(2, 5, tokens, width, generator=generator) * 2 - 1
    executed_BTK = torch.randint(3, (2, 5, world.dynamics.ticks), generator=generator)
    with torch.inference_mode():
        return world.dynamics.trunk(latents_BTND, torch.zeros(2, 5), executed_BTK)


@pytest.mark.parametrize("local", [32, 64])
def test_it_begins_as_the_other_is(tmp_path: Path, local: int) -> None:
    world = _fresh(local=local)
    begin_from(world, tiny_bundle(tmp_path / "world"))
    assert torch.allclose(_features(world), _features(tiny_world()), atol=1e-5)


def test_new_units_can_learn(tmp_path: Path) -> None:
    world = _fresh(local=64)
    begin_from(world, tiny_bundle(tmp_path / "world"))
    assert not world.dynamics.take_local.weight[:, 32:].any()  # not heard yet
    assert world.dynamics.local.weight[32:].abs().sum(1).all()  # but each with something to say


@pytest.mark.parametrize("sizes", [{"width": 64}, {"local": 64, "layers": 3}])
def test_other_sizes_are_refused(tmp_path: Path, sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"another dynamics.*preset\.dynamics\.local may be larger than its 32"):
        begin_from(_fresh(**sizes), tiny_bundle(tmp_path / "world"))


def test_what_was_learned_is_not_cut_off(tmp_path: Path) -> None:
    save_world(tmp_path / "wide", _fresh(local=64).eval(), SimulatorConfig(), tiny_starts(), "# A wide world\n")
    with pytest.raises(ValueError, match="another dynamics"):
        begin_from(_fresh(local=32), tmp_path / "wide")
