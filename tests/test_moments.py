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
