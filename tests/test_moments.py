"""Windows are drawn around moments that somebody has named, in whatever recording their episodes have come to lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_gen.merge import merge
from data_gen.recording import Recording
from data_gen.windows import Windows
from toy_recording import record_toy
from world_model.training.draws import Draws
from world_model.training.in_turns import InTurns
from world_model.training.moments import InvalidMoments, around_moments, read_moments


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("toy")
    record_toy(folder, steps=300)
    return Recording.open(folder)


def _written(folder: Path, content: object) -> Path:
    (folder / "moments.json").write_text(json.dumps(content))
    return folder / "moments.json"


def test_the_share_of_windows_that_hold_a_moment_is_what_was_asked(toy: Recording, tmp_path: Path) -> None:
    entries = toy.entries("train")
    file = _written(tmp_path, {entries[1].sha256: [9, 14], "an episode of another split": [3]})
    windows = Windows(toy, "train", 6, seed=0)
    share = around_moments(windows, read_moments(file, entries), 0.5)
    even = windows.evening()
    drawn = windows.weighted(0.5 * even / even.sum() + share).batch(0, 4000)
    late = [step - drawn.starts for step in (9, 14)]
    held = (drawn.episodes == 1) & np.any([(each >= 2) & (each < 6) for each in late], axis=0)
    by_chance = 8 / len(windows)
    assert abs(held.mean() - (0.5 + 0.5 * by_chance)) < 0.04
    assert share.sum() == pytest.approx(0.5)


def test_a_window_past_an_end_holds_nothing_of_the_next_game(toy: Recording, tmp_path: Path) -> None:
    entries = toy.entries("train")
    file = _written(tmp_path, {entries[1].sha256: [0]})  # in the last two thirds of no window of its own game
    windows = Windows(toy, "train", 6, seed=0).past_ends()
    with pytest.raises(InvalidMoments, match="no window of 6 steps"):
        around_moments(windows, read_moments(file, entries), 0.5)


def test_moments_stay_those_of_their_episodes_in_a_merged_recording(toy: Recording, tmp_path: Path) -> None:
    record_toy(tmp_path / "other", steps=200, seed=5)
    merge([Recording.open(tmp_path / "other"), toy], tmp_path / "both")
    both = Recording.open(tmp_path / "both")
    entries = toy.entries("train")
    file = _written(tmp_path, {entries[1].sha256: [9]})
    alone, merged = read_moments(file, entries), read_moments(file, both.entries("train"))
    pictures = [Windows(each, "train", 1, seed=0).frames[rows[0]] for each, rows in ((toy, alone), (both, merged))]
    assert alone[0] < merged[0]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize(
    ("steps", "named"),
    [(None, "names no moment"), ([10**6], "expected 0 to"), (["3"], "step '3'"), (9, "expected a list")],
)
def test_what_names_no_moments_is_refused(toy: Recording, tmp_path: Path, steps: object, named: str) -> None:
    entries = toy.entries("train")
    content = {} if steps is None else {entries[0].sha256: steps}
    with pytest.raises(InvalidMoments, match=named):
        read_moments(_written(tmp_path, content), entries)
    with pytest.raises(InvalidMoments, match="holds list"):
        read_moments(_written(tmp_path, []), entries)


def test_a_moment_that_no_window_can_hold_is_refused(toy: Recording) -> None:
    windows = Windows(toy, "train", 6, seed=0)
    with pytest.raises(InvalidMoments, match="6 steps"):
        around_moments(windows, np.array([0]), 0.5)


def test_a_torn_file_is_named(toy: Recording, tmp_path: Path) -> None:
    file = tmp_path / "moments.json"
    file.write_text('{"a": [1')
    with pytest.raises(InvalidMoments, match=r"moments\.json: it is not JSON"):
        read_moments(file, toy.entries("train"))


def test_short_windows_take_turns_and_a_stream_goes_on_anywhere(toy: Recording) -> None:
    long, short = (Windows(toy, "train", length, seed=3) for length in (12, 4))
    turns = InTurns(long, short, share=0.25, batch=6)
    steps = [turns.batch(step * 6, 6) for step in range(400)]
    of_short = np.array([batch.rewards.shape[1] == 4 for batch in steps])
    assert abs(of_short.mean() - 0.25) < 0.06
    assert all(len(batch.rewards.ravel()) == 6 * 12 for batch in steps)  # each step is worth as much
    for step in (int(of_short.argmax()), int((~of_short).argmax())):
        halves = [turns.batch(step * 6 + first, 3) for first in (0, 3)]
        assert np.array_equal(np.concatenate([half.rows for half in halves]), steps[step].rows)
    assert len({batch.rows.tobytes() for batch in steps}) == 400


def test_each_short_window_of_a_row_has_a_draw_of_its_own() -> None:
    whole = Draws(0, 7, 0, 4, 4).for_rows(12)
    half = Draws(0, 7, 2, 2, 4).for_rows(6)
    drawn = whole.uniform(3)
    assert len(drawn.unique()) == 36
    assert bool((half.uniform(3) == drawn[6:]).all())
