"""Windows are drawn the more often, the worse a world predicts them, and the stream can still be resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data_gen.windows import Windows
from tiny_world import tiny_world
from toy_recording import record_toy
from world_model.sampler import expected
from world_model.training.difficulty import difficulty_weights, step_errors, window_weights
from world_model.training.latents import latent_windows
from world_model.training.processes import Processes


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    folder = tmp_path_factory.mktemp("toy")
    record_toy(folder, steps=300)
    return Windows.open(folder, "train", length=6, seed=3)


def test_windows_are_drawn_as_often_as_their_weights_say(frames: Windows) -> None:
    weights = np.ones(len(frames))
    weights[: len(frames) // 2] = 3
    rows = frames.first_rows
    drawn = frames.weighted(weights).batch(0, 4000)
    starts = {tuple(pair) for pair in np.stack([drawn.episodes, drawn.starts], axis=1).tolist()}
    assert len(starts) > 0.9 * len(frames)
    everything = frames.take(np.arange(len(frames)))
    order = {
        pair: n for n, pair in enumerate(zip(everything.episodes.tolist(), everything.starts.tolist(), strict=True))
    }
    numbers = np.array([order[pair] for pair in zip(drawn.episodes.tolist(), drawn.starts.tolist(), strict=True)])
    assert abs((numbers < len(rows) // 2).mean() - 0.75) < 0.03


def test_the_weighted_stream_goes_on_at_any_position(frames: Windows) -> None:
    weighted = frames.weighted(np.linspace(0, 1, len(frames)))
    whole, later = weighted.batch(4090, 20), weighted.batch(4100, 10)
    assert np.array_equal(whole.starts[10:], later.starts)
    assert np.array_equal(whole.frames[10:], later.frames)


@pytest.mark.parametrize("weights", [[1.0], [-1.0], [np.nan], [0.0]])
def test_weights_that_are_none_are_refused(frames: Windows, weights: list[float]) -> None:
    every = np.array(weights * len(frames)) if weights != [1.0] else np.ones(1)
    with pytest.raises(ValueError, match=r"^weights "):
        frames.weighted(every)


def test_errors_are_those_of_stepping_through_an_episode(frames: Windows, tmp_path: Path) -> None:
    world = tiny_world()
    windows = latent_windows(frames, world.tokenizer, tmp_path)
    errors = step_errors(windows, world, changed=0.0)
    first = windows.take(np.array([0]))
    latents, executed = torch.from_numpy(first.frames).float(), torch.from_numpy(first.executed)
    with torch.no_grad():
        features = world.dynamics.trunk(latents[:, :-1], torch.zeros(1, 6), executed)
        predicted = expected(world.dynamics, features[0], latents[0, :-1])
    by_hand = (predicted - latents[0, 1:]).square().mean((1, 2)).numpy()
    np.testing.assert_allclose(errors[:6], by_hand, rtol=1e-4)
    ends = np.flatnonzero(np.diff(windows.first_rows) > 1)
    last_steps = windows.first_rows[ends] + windows.length
    assert (errors[last_steps] == 0).all()  # an episode's last frame leads nowhere
    assert (errors[last_steps - 1] > 0).all()
    past_ends = step_errors(windows.past_ends(), world, 5.0)
    assert np.array_equal(past_ends > 0, errors > 0)
    assert (window_weights(windows.past_ends(), past_ends, exponent=1.0) > 0).all()


def test_two_processes_judge_what_one_would(frames: Windows, tmp_path: Path) -> None:
    windows = latent_windows(frames, tiny_world().tokenizer, tmp_path)
    both = [Processes(rank, 2, torch.device("cpu")) for rank in (0, 1)]
    parts = [step_errors(windows, tiny_world(), 5.0, processes=each) for each in both]
    alone = step_errors(windows, tiny_world(), 5.0)
    np.testing.assert_allclose(np.maximum(*parts), alone, rtol=1e-4)
    assert all(0.2 < (part > 0).mean() < 0.9 * (alone > 0).mean() for part in parts)


def test_half_the_precision_finds_the_same_windows_hard(frames: Windows, tmp_path: Path) -> None:
    windows = latent_windows(frames, tiny_world().tokenizer, tmp_path)
    coarse, fine = (step_errors(windows, tiny_world(), 5.0, each) for each in ("bfloat16", "float32"))
    assert (coarse != fine).any()
    np.testing.assert_allclose(coarse, fine, rtol=0.05)


def test_hard_windows_come_more_often_and_easy_ones_do_not_vanish(frames: Windows, tmp_path: Path) -> None:
    errors = np.zeros(len(frames.frames), np.float32)
    hard = frames.first_rows[10]
    errors[hard : hard + 6] = 1.0
    weights = window_weights(frames, errors, exponent=1.0) / frames.evening()
    assert weights.argmax() == 10
    assert weights.min() == 0.25
    assert window_weights(frames, errors + 1, 0.5)[10] < window_weights(frames, errors + 1, 2.0)[10]


def test_what_was_found_hard_is_written_down_once(frames: Windows, tmp_path: Path) -> None:
    windows = latent_windows(frames, tiny_world().tokenizer, tmp_path)
    first = difficulty_weights(windows, tiny_world(), 1.0, 5.0, tmp_path / "errors.npy")
    again = difficulty_weights(windows, tiny_world(seed=1), 1.0, 5.0, tmp_path / "errors.npy")
    assert np.array_equal(first, again)
    assert len(np.unique(first)) > 1
    easy_or_hard = difficulty_weights(windows, tiny_world(), 0.0, 5.0, tmp_path / "none.npy")
    assert np.array_equal(easy_or_hard, windows.evening())
