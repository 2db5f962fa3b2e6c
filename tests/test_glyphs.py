"""Glyphs: which contents of tokens they stand for, and which of them a token is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from world_model.glyphs import Glyphs, phases
from world_model.training.seen_glyphs import seen_glyphs
from world_model.training.typical_tokens import typical_tokens

_LEAST = 0.1


def _latents(kinds: int, frames: int = 300) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
    """Tokens of a few kinds, blurred; the first is a hundred times as frequent as the others together."""
    generator = np.random.default_rng(0)
    contents = generator.uniform(-1, 1, (kinds, 16))
    which = np.where(generator.random((frames, 9)) < 0.99, 0, generator.integers(0, kinds, (frames, 9)))
    which.flat[:kinds] = np.arange(kinds)
    return (contents[which] + generator.normal(0, 0.01, (frames, 9, 16))).astype(np.float16)


def test_every_kind_of_token_gets_a_glyph_however_rare_it_is(tmp_path: Path) -> None:
    latents = _latents(12)
    centres = typical_tokens(latents, 32, _LEAST, tmp_path)
    apart = torch.cdist(torch.from_numpy(latents.astype(np.float32)).flatten(0, 1), centres).min(-1).values
    assert apart.max() / 4 < 0.15  # root mean square over 16 numbers
    latents[:] = 0
    assert torch.equal(typical_tokens(latents, 32, _LEAST, tmp_path), centres)  # found once


def test_what_is_seen_for_long_is_met_closely_though_it_comes_but_once(tmp_path: Path) -> None:
    """As the figures of a score: between two glyphs they could not be read."""
    generator = np.random.default_rng(0)
    flying, figures = (generator.uniform(-1, 1, (kinds, 16)).astype(np.float16) for kinds in (200, 8))
    latents = flying[generator.integers(0, 200, (2400, 2))]
    latents[:, 0] = np.repeat(figures, 300, axis=0)
    centres = typical_tokens(latents, 64, _LEAST, tmp_path)
    apart = torch.cdist(torch.from_numpy(figures).float(), centres).min(-1).values / 4
    assert apart.max() < 0.15


def test_what_drifts_without_a_change_asks_for_no_glyphs(tmp_path: Path) -> None:
    """As a floor's faint texture in a game in three dimensions: nothing that is drawn is ever that."""
    generator = np.random.default_rng(0)
    latents = generator.uniform(-0.04, 0.04, (500, 4, 16)).astype(np.float16)
    latents[::5, 3] = generator.uniform(-1, 1, (100, 16))
    centres = typical_tokens(latents, 64, _LEAST, tmp_path)
    assert (centres.abs().amax(-1) > 0.1).sum() >= 62


def test_of_tokens_that_are_all_different_no_kind_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pictures never repeat there are more tokens than can be compared: those that are must be any of them."""
    monkeypatch.setattr("world_model.training.typical_tokens._MOST", 100)
    latents = np.random.default_rng(0).uniform(-1, 1, (500, 4, 1)).astype(np.float16)
    centres = typical_tokens(latents, 10, _LEAST, tmp_path)
    assert centres.min() < -0.5
    assert centres.max() > 0.5


def test_a_game_with_fewer_tokens_than_glyphs_is_no_trouble(tmp_path: Path) -> None:
    latents = np.zeros((50, 9, 16), np.float16)
    latents[::2, 3] = 0.5
    centres = typical_tokens(latents, 8, _LEAST, tmp_path)
    assert centres.shape == (8, 16)
    assert {float(each) for each in centres.mean(-1)} == {0.0, 0.5}


def test_a_token_is_the_glyph_it_is_most_like() -> None:
    glyphs = Glyphs(3, 9, 32, 16, 0.1)
    glyphs.contents_VD.copy_(torch.tensor([0.0, 0.2, 0.9])[:, None].expand(3, 16))
    tokens = torch.tensor([[0.01, 0.85], [0.15, 2.0]])[..., None].expand(2, 2, 16)
    assert glyphs.nearest(tokens).tolist() == [[0, 2], [1, 2]]


@torch.no_grad()
def test_glyphs_that_are_found_anew_keep_what_was_learned() -> None:
    glyphs = Glyphs(3, tokens=9, width=4, latent_width=16, least_change=0.1)
    before = torch.eye(3, 16)
    glyphs.contents_VD.copy_(before)
    torch.nn.init.normal_(glyphs.likelihood.weight)
    x_YE = torch.randn(5, 4)
    said = glyphs.logits(x_YE)
    order = torch.tensor([2, 0, 0])
    glyphs.renew(before[order] + 0.01)
    assert torch.equal(glyphs.contents_VD, before[order] + 0.01)
    torch.testing.assert_close(glyphs.logits(x_YE), said[:, order])


def test_a_glyph_is_drawn_only_where_it_was_seen(tmp_path: Path) -> None:
    glyphs = Glyphs(3, tokens=3, width=4, latent_width=16, least_change=0.1)
    glyphs.contents_VD.copy_(torch.eye(3, 16))
    kinds_FN = np.array([[0, 0, 1], [1, 0, 1], [0, 2, 1], [0, 0, 1]])
    latents = glyphs.contents_VD.numpy()[kinds_FN].astype(np.float16)
    glyphs.seen_NV.copy_(seen_glyphs(latents, glyphs, tmp_path))
    nothing_changed = [True, True, True]
    assert glyphs.seen_NV.tolist() == [[True, True, False], [True, False, True], nothing_changed]
    latents[:] = 0
    assert torch.equal(seen_glyphs(latents, glyphs, tmp_path), glyphs.seen_NV)  # found once
    likely_YV = torch.tensor([[0.0, 9.0, 9.1]]).repeat(3, 1)
    glyphs.forbid_unseen(likely_YV, torch.tensor([0, 1, 2]))
    assert likely_YV.argmax(-1).tolist() == [1, 2, 2]
    assert likely_YV.softmax(-1)[0, 2] == likely_YV.softmax(-1)[1, 1] == 0


@pytest.mark.parametrize("grid", [(1, 1), (3, 4), (7, 7)])
def test_two_tokens_that_touch_are_of_different_phases(grid: tuple[int, int]) -> None:
    phase = phases(grid).view(grid)
    for down, right in ((0, 1), (1, 0), (1, 1)):
        here, there = phase[: grid[0] - down, : grid[1] - right], phase[down:, right:]
        assert (here != there).all()
    assert (phase[1:, :-1] != phase[:-1, 1:]).all()
