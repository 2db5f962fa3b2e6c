"""What stands for a single frame between two contents, where few are known, is not learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from data_gen.windows import Windows
from tiny_world import tiny_world
from toy_recording import record_toy
from world_model.training import settled
from world_model.training.latents import latent_windows
from world_model.training.settled import settle


def _settled(contents_F: Sequence[int], begins: Sequence[int] = (0,)) -> list[int]:
    latents_FND = np.array(contents_F, np.float16).reshape(-1, 1, 1)
    settle(latents_FND, np.isin(np.arange(len(contents_F)), begins))
    return [int(content) for content in latents_FND.flatten()]


def test_a_figure_that_shines_through_the_next_one_is_the_next_one() -> None:
    assert _settled([3, 3, 8, 4, 4, 4, 4, 8, 5, 5]) == [3, 3, 4, 4, 4, 4, 4, 5, 5, 5]


@pytest.mark.parametrize(
    "contents",
    [[0, 0, 7, 0, 0], [0, 0, 1, 2, 3, 4, 4], [0, 1, 2, 2], [0, 0, 1, 2], [0, 0, 1, 1, 2, 2]],
    ids=["comes and goes", "on its way", "nothing stayed before", "nothing stays after", "it stays itself"],
)
def test_nothing_else_is_a_flicker(contents: list[int]) -> None:
    assert _settled(contents) == contents


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_nothing_is_settled_by_what_another_episode_shows(first: int) -> None:
    assert _settled([3, 3, 8, 4, 4], begins=(0, first)) == [3, 3, 8, 4, 4]


def test_where_many_contents_are_seen_nothing_is_settled() -> None:
    paddle = [0, 0, 7, 1, 1, *range(200)]
    assert _settled(paddle) == paddle


@pytest.mark.parametrize("at_once", [1, 2, 3, 5])
def test_it_does_not_matter_how_many_frames_are_looked_at_together(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [3, 3, 8, 4, 4, 9, 5, 5, 5, 0, 0, 6, 0, 0, 8, 1, 1]
    whole = _settled(contents)
    monkeypatch.setattr(settled, "_AT_ONCE", at_once)
    assert _settled(contents) == whole


def test_a_world_learns_from_settled_latents(tmp_path: Path) -> None:
    record_toy(tmp_path / "toy", steps=60)
    windows, tokenizer = Windows.open(tmp_path / "toy", "train", length=6), tiny_world().tokenizer
    shades_F: npt.NDArray[np.uint8] = np.full(len(windows.frames), 200, np.uint8)
    shades_F[:3] = [10, 10, 90]
    frames = np.broadcast_to(shades_F[:, None, None, None], windows.frames.shape)
    latents = latent_windows(windows.instead(frames), tokenizer, tmp_path / "latents").frames
    assert np.array_equal(latents[2], latents[3])
    assert not np.array_equal(latents[1], latents[2])
    assert torch.from_numpy(np.array(latents)).isfinite().all()
