"""Windows are consecutive, never straddle episodes, and their stream can be resumed at any position."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from data_gen.recording import Recording
from data_gen.split_cache import NoWindows, WindowBatch
from data_gen.windows import Windows
from toy_game import action_of, counter_of
from toy_recording import record_toy


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("windows") / "toy"
    record_toy(root)
    return root


def _equal(one: WindowBatch, two: WindowBatch) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True))


def test_every_window_is_consecutive_and_action_t_joins_frames_t_and_t_plus_1(recorded: Path) -> None:
    """The counting game through record and windows: one pass sees each window of the split exactly once."""
    windows = Windows.open(recorded, "train", length=5)
    seen = set()
    for position in range(0, len(windows), 50):
        batch = windows.batch(position, min(50, len(windows) - position))
        for frames, executed, episode, start in zip(
            batch.frames, batch.executed, batch.episodes, batch.starts, strict=True
        ):
            counters = [counter_of(frame) for frame in frames]
            assert counters[:-1] == list(range(2 * start, 2 * start + 10, 2))
            played = counters[-1] - counters[-2]
            assert [action_of(frame) for frame in frames[1:-1]] == executed[:-1, -1].tolist()
            assert action_of(frames[-1]) == executed[-1, played - 1]
            seen.add((int(episode), int(start)))
    lengths = [entry.steps for entry in Recording.open(recorded).entries("train")]
    assert seen == {(episode, start) for episode, steps in enumerate(lengths) for start in range(steps - 4)}


def test_first_and_last_steps_come_about_as_often_as_any_other(recorded: Path) -> None:
    windows = Windows.open(recorded, "train", length=6)
    lengths = [entry.steps for entry in Recording.open(recorded).entries("train")]
    drawn = windows.weighted(windows.evening()).batch(0, 40_000)
    for episode, steps in enumerate(lengths):
        starts = drawn.starts[drawn.episodes == episode]
        often = np.bincount((starts[:, None] + np.arange(6)).ravel(), minlength=steps)
        assert np.median(often) / 2 < often.min() <= often.max() < 2.5 * np.median(often)
    assert (Windows.open(recorded, "train", length=1).evening() == 1).all()


def test_past_ends_a_game_ends_anywhere_in_a_window(recorded: Path) -> None:
    """Where ends came in the last step alone, a world that remembers a whole window saw too many."""
    whole = Windows.open(recorded, "train", length=6)
    windows = whole.past_ends()
    recording = Recording.open(recorded)
    lengths = [entry.steps for entry in recording.entries("train")]
    assert len(windows) == sum(lengths)
    drawn = windows.weighted(windows.evening()).batch(0, 40_000)
    ends_T = drawn.terminated.sum(0)
    assert ends_T.min() > 0.8 * ends_T.max()
    past = np.isnan(drawn.rewards)
    assert np.array_equal(past, np.arange(6) >= (np.array(lengths)[drawn.episodes] - drawn.starts)[:, None])
    assert not (drawn.shown | drawn.terminated)[past].any()
    assert (drawn.shown | drawn.terminated)[~past].all()
    assert (drawn.actions[past] == -1).all()
    assert (drawn.executed[past] == -1).all()
    last = windows.take(np.array([lengths[0] - 2]))  # two steps, the end, and nothing
    episode = recording.load(recording.entries("train")[0])
    assert np.array_equal(last.frames[0], episode.frames[[-3, -2, -1, -1, -1, -1, -1]])
    assert np.array_equal(windows.take(np.arange(9)).frames, whole.take(np.arange(9)).frames)
    for episode_index, steps in enumerate(lengths):
        mine = drawn.episodes == episode_index
        places = (drawn.starts[mine][:, None] + np.arange(6))[~past[mine]]
        often = np.bincount(places, minlength=steps)
        assert np.median(often) / 2 < often.min() <= often.max() < 2.5 * np.median(often)


def test_rewards_and_ends_are_those_of_the_episode(recorded: Path) -> None:
    recording = Recording.open(recorded)
    batch = Windows(recording, "train", 6, seed=0).batch(0, 64)
    for row, (episode_index, start) in enumerate(zip(batch.episodes, batch.starts, strict=True)):
        episode = recording.load(recording.entries("train")[episode_index])
        assert episode.rewards is not None
        assert np.array_equal(batch.rewards[row], episode.rewards[start : start + 6])
        assert np.array_equal(batch.terminated[row], episode.terminated[start : start + 6])
        assert np.array_equal(batch.frames[row], episode.frames[start : start + 7])


def test_a_stream_goes_on_where_it_stopped(recorded: Path) -> None:
    windows = Windows.open(recorded, "train", 4, seed=3)
    whole = list(islice(windows.stream(batch=7), 30))
    resumed = list(islice(windows.stream(batch=7, position=whole[11][0]), 18))
    assert all(a[0] == b[0] and _equal(a[1], b[1]) for a, b in zip(whole[12:], resumed, strict=True))


def test_workers_change_nothing_and_ranks_share_the_stream(recorded: Path) -> None:
    windows = Windows.open(recorded, "train", 4, seed=3)
    alone = [batch for _, batch in islice(windows.stream(batch=5), 12)]
    threaded = [batch for _, batch in islice(windows.stream(batch=5, workers=4), 12)]
    assert all(map(_equal, alone, threaded))
    for rank in range(2):
        mine = [batch for _, batch in islice(windows.stream(batch=5, rank=rank, world=2), 6)]
        assert all(map(_equal, alone[rank::2], mine))


def test_seeds_give_different_orders(recorded: Path) -> None:
    one, two = (Windows.open(recorded, "train", 4, seed=seed).batch(0, 100) for seed in (0, 1))
    assert not np.array_equal(one.starts, two.starts)


def test_a_frame_the_game_never_showed_is_told_and_leads_nowhere(recorded: Path) -> None:
    """Doom's last frame repeats the one before: games do not freeze before they end, but they do end."""
    windows = Windows.open(recorded, "train", 4)
    assert windows.batch(0, 200).shown.all()
    assert windows.ends_shown
    cache = windows._cache
    last = cache._first[1] - 1
    cache._real = cache._real.copy()
    cache._real[[last, last - 1]] = False  # as if none had been shown after the last step but one, either
    first = cache.window_starts(4)[:, 1][cache.window_starts(4)[:, 0] == 0].max()
    assert first == cache._lengths[0] - 5
    batch = windows.take(np.array([first]))
    assert batch.shown.tolist() == [[True, True, True, False]]
    assert not windows.ends_shown
    cache._real[last - 1] = True
    assert tuple(cache.window_starts(4)[cache._lengths[0] - 4]) == (0, cache._lengths[0] - 4)


def test_too_long_windows_and_empty_splits_are_refused(recorded: Path) -> None:
    with pytest.raises(NoWindows, match="no train episode with 1000 steps in a row"):
        Windows.open(recorded, "train", 1000)
    with pytest.raises(ValueError, match="split is 'holdout'"):
        Windows.open(recorded, "holdout", 4)


def test_a_damaged_episode_never_reaches_the_cache(recorded: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(recorded, tmp_path / "toy", ignore=shutil.ignore_patterns("cache")))
    file = root / Recording.open(root).entries("train")[0].file
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=file.name):
        Windows.open(root, "train", 4)
    assert not list((root / "cache").iterdir())
