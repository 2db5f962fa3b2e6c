"""The tokenizers: one Protocol, exact levels, latents where the dynamics expect them, and training that sees things."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data_gen.split_cache import WindowBatch
from world_model.conv_tokenizer import NEVER_STILL, ConvTokenizer, ConvTokenizerConfig
from world_model.grids import UnevenGrid
from world_model.patch_tokenizer import PatchTokenizer, PatchTokenizerConfig
from world_model.pixels import to_frames, to_pixels
from world_model.tokenizer import Tokenizer
from world_model.training.draws import Draws
from world_model.training.tokenizer_task import TokenizerTask, TokenizerTaskConfig, still_picture

_SIZE = (36, 24)


def _frames(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (count, *_SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def _conv(**changes: object) -> ConvTokenizer:
    torch.manual_seed(0)
    return ConvTokenizer(ConvTokenizerConfig(hidden=32, **changes), _SIZE)  # type: ignore[arg-type]


@pytest.mark.parametrize("tokenizer", [_conv(), PatchTokenizer(PatchTokenizerConfig(), _SIZE)], ids=["conv", "patch"])
@torch.no_grad()
def test_both_keep_the_protocol(tokenizer: Tokenizer) -> None:
    assert isinstance(tokenizer, Tokenizer)
    assert tokenizer.grid == (3, 2)
    latents = tokenizer.encode(to_pixels(_frames(5)))
    assert latents.shape == (5, 6, tokenizer.width)
    assert latents.abs().max() <= 1
    assert tokenizer.decode(latents).shape == (5, 3, *_SIZE)


@torch.no_grad()
def test_patches_lose_nothing() -> None:
    tokenizer, frames = PatchTokenizer(PatchTokenizerConfig(), _SIZE), _frames(4)
    assert torch.equal(to_frames(tokenizer.decode(tokenizer.encode(to_pixels(frames)))), frames)


@pytest.mark.parametrize("tokenizer", [_conv(), PatchTokenizer(PatchTokenizerConfig(), _SIZE)], ids=["conv", "patch"])
@torch.no_grad()
def test_a_token_stands_for_its_own_place(tokenizer: Tokenizer) -> None:
    pixels = to_pixels(_frames(1))
    changed = pixels.clone()
    changed[:, :, 16:20, 16:20] = 1 - changed[:, :, 16:20, 16:20]  # inside the token of row 1, column 1
    moved = (tokenizer.encode(pixels) != tokenizer.encode(changed)).any(-1)[0]
    assert moved.nonzero().flatten().tolist() == [1 * 2 + 1]


@torch.no_grad()
def test_a_frame_is_encoded_and_decoded_alike_in_any_company() -> None:
    tokenizer, pixels = _conv(), to_pixels(_frames(33))
    latents = tokenizer.encode(pixels)
    decoded = tokenizer.decode(latents)
    for rows in (1, 2, 3, 8, 17):
        assert torch.equal(tokenizer.encode(pixels[:rows]), latents[:rows])
        assert torch.equal(tokenizer.decode(latents[:rows]), decoded[:rows])


def test_a_frame_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UnevenGrid, match="12 pixels does not divide a frame of 84x80"):
        ConvTokenizer(ConvTokenizerConfig(), (84, 80))


def _batch() -> WindowBatch:
    """A dark room in which a bright square of 3 pixels jumps."""
    frames = np.zeros((8, 2, *_SIZE, 3), np.uint8)
    places = np.random.default_rng(0).integers(0, 20, (8, 2, 2))
    for row, pair in enumerate(places):
        for t, (y, x) in enumerate(pair):
            frames[row, t, y : y + 3, x : x + 3] = 255
    empty = np.zeros((8, 1), np.int64)
    return WindowBatch(
        frames, empty, empty[..., None], empty.astype(np.float32), empty > 0, empty == 0, *[empty[:, 0]] * 3
    )


def _learn(tokenizer: ConvTokenizer, config: TokenizerTaskConfig, batch: WindowBatch, steps: int, rate: float) -> None:
    task, optimizer = TokenizerTask(tokenizer, config), torch.optim.AdamW(tokenizer.parameters(), rate)
    for step in range(steps):
        optimizer.zero_grad()
        task.losses(batch, Draws(0, step, 0, 8, 8))["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@torch.no_grad()
def test_what_is_painted_nearly_as_the_still_picture_is_that_picture() -> None:
    tokenizer, off = _conv(), torch.arange(-12, 12)  # grey levels, a column each
    for weight in tokenizer.decoder.parameters():
        weight.zero_()  # the backdrop alone is painted
    tokenizer.set_backdrop((100 + off.view(1, -1, 1)).expand(*_SIZE, 3) / 255)
    still = torch.full((*_SIZE, 3), 100)
    still[20:] = NEVER_STILL
    tokenizer.set_still_picture(still)
    painted = to_frames(tokenizer.decode(torch.zeros(1, 6, tokenizer.width)))[0, ..., 0].int() - 100
    settled = torch.minimum(off.abs(), (2 * (off.abs() - 4)).clamp_min(0)) * off.sign()
    assert settled[9:16].tolist() == [0] * 7
    assert torch.equal(painted[:20], settled.int().expand(20, -1))
    assert torch.equal(painted[20:], off.int().expand(16, -1)), "nothing is still there"


def test_the_still_picture_is_what_most_frames_show() -> None:
    frames = np.full((10, *_SIZE, 3), 7, np.uint8)
    frames[:4, 0, 0] = 9  # something passes
    frames[:, 1, 1, 2] = np.arange(10)  # something always moves
    median, still = still_picture(SimpleNamespace(frames=frames))  # type: ignore[arg-type]
    assert median[0, 0].tolist() == still[0, 0].tolist() == [7, 7, 7]
    assert median[1, 1].tolist() == [7, 7, 4]
    assert still[1, 1].tolist() == [NEVER_STILL] * 3
    assert (still != 7).sum() == 3


@pytest.mark.parametrize("kl", [0.0, 1e-4])
def test_training_brings_out_a_small_thing_that_moves(kl: float) -> None:
    tokenizer = _conv(kl=kl)
    tokenizer.set_backdrop(torch.zeros(*_SIZE, 3))
    tokenizer.set_still_picture(torch.zeros(*_SIZE, 3))
    batch = _batch()
    _learn(tokenizer, TokenizerTaskConfig(), batch, steps=150, rate=1e-2)
    with torch.no_grad():
        real = to_pixels(torch.from_numpy(batch.frames[:, 1]))
        rebuilt = tokenizer.decode(tokenizer.encode(real))
    bright = real > 0.5
    assert rebuilt[bright].mean() > 0.8
    assert rebuilt[~bright].mean() < 0.1


@pytest.mark.parametrize(("faithful", "alike"), [(0.0, False), (1.0, True)])
def test_faithful_latents_are_as_far_apart_as_what_they_show(faithful: float, alike: bool) -> None:
    tokenizer, batch = _conv(), _batch()
    noise = np.random.default_rng(1).integers(0, 12, batch.frames.shape)  # a faint texture that never repeats
    batch.frames[:] = np.minimum(batch.frames.astype(np.int64) + noise, 255)
    _learn(tokenizer, TokenizerTaskConfig(faithful=faithful), batch, steps=200, rate=3e-3)
    with torch.no_grad():
        latents, squares = (
            [each(to_pixels(torch.from_numpy(batch.frames[:, t]))).flatten(0, 1).flatten(1) for t in (0, 1)]
            for each in (tokenizer.encode, tokenizer.squares)
        )
        apart, shown = ((one - other).square().mean(-1).sqrt() for one, other in (latents, squares))
    off = (apart - 3 * shown).abs().mean() / (3 * shown.mean())
    assert (off < 0.25) == alike


def test_of_the_empty_squares_only_a_few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are nearly all there is, and all alike."""
    tokenizer = _conv()
    tokenizer.set_backdrop(torch.zeros(*_SIZE, 3))
    tokenizer.set_still_picture(torch.zeros(*_SIZE, 3))
    looked_at: list[torch.Tensor] = []
    posterior = tokenizer.posterior
    monkeypatch.setattr(tokenizer, "posterior", lambda squares: looked_at.append(squares) or posterior(squares))
    batch, empty = _batch(), 0
    for step in range(100):
        TokenizerTask(tokenizer, TokenizerTaskConfig()).losses(batch, Draws(0, step, 0, 8, 8))
        is_empty = looked_at[-1].abs().flatten(1).amax(1) == 0
        empty += int(is_empty.sum())
    squares = tokenizer.squares(to_pixels(torch.from_numpy(batch.frames[:, 1])))
    busy = int((squares.abs().flatten(2).amax(2) > 0).sum())
    assert int((looked_at[-1].abs().flatten(1).amax(1) > 0).sum()) == busy, "whatever shows something"
    of_all = 100 * (squares.shape[0] * squares.shape[1] - busy)
    assert 0.03 * of_all < empty < 0.3 * of_all  # those that something has just left are looked at, too


def test_only_the_decoder_learns_where_that_is_asked() -> None:
    tokenizer = _conv()
    task = TokenizerTask(tokenizer, TokenizerTaskConfig(decoder_only=True))
    task.losses(_batch(), Draws(0, 0, 0, 8, 8))["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in (*tokenizer.encoder.parameters(), tokenizer.backdrop_HWC))
    assert all(parameter.grad is not None for parameter in tokenizer.decoder.parameters())
