"""A recording holds exactly what was played, is a function of its plan, and vouches for every byte."""

from __future__ import annotations

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_gen.plan import InvalidPlan, RecordingPlan
from data_gen.recorder import RecordingStopped
from data_gen.recording import InvalidRecording, Manifest, Recording
from data_gen.twin import Twin
from data_gen.verify import VerifyConfig, find_faults, first_difference, verify
from toy_game import COUNTING, action_of, counter_of
from toy_recording import record_toy, toy_plan, tree


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recorded") / "toy"
    record_toy(root)
    return root


@pytest.fixture
def root(recorded: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(recorded, tmp_path / "toy"))


def test_action_t_joins_frames_t_and_t_plus_1(recorded: Path) -> None:
    """The counting game: a shift by one anywhere between emulator and disk shows in every step."""
    recording = Recording.open(recorded)
    for entry in recording.entries():
        episode = recording.load(entry)
        assert episode.executed is not None
        counters = [counter_of(frame) for frame in episode.frames]
        ticks = episode.executed.shape[1]
        assert counters[:-1] == list(range(0, ticks * len(episode), ticks))
        assert ticks * (len(episode) - 1) < counters[-1] <= ticks * len(episode)
        played = counters[-1] - counters[-2]  # the last step may end between its ticks
        assert [action_of(frame) for frame in episode.frames[1:-1]] == episode.executed[:-1, -1].tolist()
        assert action_of(episode.frames[-1]) == episode.executed[-1, played - 1]


def test_sticky_ticks_are_recorded_as_executed(recorded: Path) -> None:
    """Where stickiness held an action, `executed` differs from `actions`: it does so in some ticks and not in most."""
    recording = Recording.open(recorded)
    episodes = [recording.load(entry) for entry in recording.entries()]
    differs = np.concatenate([e.executed != e.actions[:, None] for e in episodes])  # type: ignore[index, operator]
    assert 0.02 < differs.mean() < 0.25


def test_an_episode_plays_again_from_its_seed_and_ticks(recorded: Path) -> None:
    recording = Recording.open(recorded)
    assert recording.manifest.game is not None
    twin = Twin(recording.manifest.game)
    assert all(first_difference(recording.load(entry), twin) is None for entry in recording.entries())
    assert verify(VerifyConfig(recorded, replay=5)) == 0


def test_a_replay_notices_a_single_other_tick(recorded: Path) -> None:
    recording = Recording.open(recorded)
    assert recording.manifest.game is not None
    episode = recording.load(recording.entries()[0])
    assert episode.executed is not None
    other = episode.executed.copy()
    other[5] = (other[5] + 1) % 3
    fault = first_difference(dataclasses.replace(episode, executed=other), Twin(recording.manifest.game))
    assert fault == "frame 6 differs"


def test_splits_are_by_episode_and_by_policy(recorded: Path) -> None:
    recording = Recording.open(recorded)
    assert {entry.policy for entry in recording.entries("test")} == {"other"}
    assert all(entry.policy != "other" for split in ("train", "validation") for entry in recording.entries(split))
    assert len(recording.entries("train")) > 0
    assert len(recording.entries("validation")) > 0
    seeds = [recording.load(entry).provenance["reset_seed"] for entry in recording.entries()]
    assert len(set(seeds)) == len(seeds)


def test_the_same_plan_gives_the_same_bytes_with_any_number_of_workers(recorded: Path, tmp_path: Path) -> None:
    record_toy(tmp_path / "two", workers=2)
    assert tree(tmp_path / "two") == tree(recorded)


def test_another_seed_gives_other_episodes(recorded: Path, tmp_path: Path) -> None:
    """The negative control of the promise above."""
    record_toy(tmp_path / "other", seed=8)
    assert not set(tree(tmp_path / "other").values()) & set(tree(recorded).values())


def test_recording_again_changes_nothing(root: Path) -> None:
    before = {file: (content, (root / file).stat().st_mtime_ns) for file, content in tree(root).items()}
    record_toy(root)
    episodes = {file: kept for file, kept in before.items() if file.endswith(".h5")}
    assert {
        file: (c, (root / file).stat().st_mtime_ns) for file, c in tree(root).items() if file in episodes
    } == episodes


def test_a_lost_episode_is_played_again_to_the_same_bytes(recorded: Path, root: Path) -> None:
    (root / "manifest.json").unlink()
    (root / Recording.open(recorded).entries("train")[2].file).unlink()
    record_toy(root)
    assert tree(root) == tree(recorded)


def test_a_recording_is_not_continued_with_another_plan(root: Path) -> None:
    with pytest.raises(RecordingStopped, match=r"plan\.json is another plan"):
        record_toy(root, seed=99)


def test_a_plan_that_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(InvalidPlan, match="epsilons is"):
        toy_plan(epsilons=(1.5,))
    with pytest.raises(InvalidPlan, match="random-hold cannot be recorded and held out"):
        toy_plan(held_out={"random-hold": ""})


# ---- damage --------------------------------------------------------------------------------------------------------


def _load(root: Path, file: Path) -> None:
    """Read the recording as far as `file`: the manifest, and that episode if it is one."""
    recording = Recording.open(root)
    for entry in recording.entries():
        if root / entry.file == file:
            recording.load(entry)


def _damage(root: Path, rng: random.Random, change: Callable[[bytes], bytes]) -> tuple[Path, bytes]:
    """Change a random file of the recording; returns it with its old content."""
    file = rng.choice(
        sorted(file for file in root.rglob("*") if file.suffix in (".h5", ".json") and file.name != "plan.json")
    )
    content = file.read_bytes()
    file.write_bytes(change(content))
    return file, content


def test_each_of_200_truncations_is_refused_with_the_file_named(root: Path) -> None:
    rng = random.Random(0)
    for _ in range(200):
        file, content = _damage(root, rng, lambda content: content[: rng.randrange(len(content))])
        with pytest.raises(InvalidRecording, match=file.name):
            _load(root, file)
        file.write_bytes(content)
        _load(root, file)


def test_each_of_300_flipped_bits_is_refused_with_the_file_named(root: Path) -> None:
    rng = random.Random(1)

    def flip(content: bytes) -> bytes:
        place = rng.randrange(len(content))
        return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]

    for _ in range(300):
        file, content = _damage(root, rng, flip)
        with pytest.raises(InvalidRecording, match=file.name):
            _load(root, file)
        file.write_bytes(content)
        _load(root, file)


def test_swapped_missing_and_extra_files_are_found(root: Path) -> None:
    first, second = Recording.open(root).entries("train")[:2]
    one, two = (root / first.file), (root / second.file)
    one.rename(root / "aside")
    two.rename(one)
    (root / "aside").rename(two)
    shutil.copy(one, root / "train" / "00009999.h5")
    faults = find_faults(Recording.open(root))
    assert len(faults) == 3
    assert "00009999.h5 is not in the manifest" in faults[-1]
    one.unlink()
    assert any(f"{one.name} is missing" in fault for fault in find_faults(Recording.open(root)))
    assert verify(VerifyConfig(root)) == 1


@pytest.mark.parametrize(
    "name",
    ["../secret.h5", "/etc/passwd", "train/../../x.h5", "~/x.h5", "train/00000000.h5\0", "C:\\x.h5", "", 7, None,
     "train\\00000000.h5", "train/" + "0" * 10_000 + ".h5", "train/\u2215etc.h5", "train/00000000.h5/",
     "other/00000000.h5", "//host/train/00000000.h5", "train/00000000.h5\n", "train/" + "\u0660" * 8 + ".h5"],
)  # fmt: skip
def test_a_manifest_cannot_name_a_file_outside(root: Path, name: Any) -> None:
    """Even a manifest with a right hash of its own, made by somebody who wants another file read."""
    manifest = Recording.open(root).manifest
    hostile = dataclasses.replace(manifest.episodes[0], file=name)
    (root / "manifest.json").write_bytes(dataclasses.replace(manifest, episodes=(hostile,)).to_json())
    with pytest.raises(InvalidRecording, match="episode file"):
        Recording.open(root)


def test_a_link_in_place_of_an_episode_is_refused(root: Path, tmp_path: Path) -> None:
    entry = Recording.open(root).entries()[0]
    (root / entry.file).rename(tmp_path / "elsewhere.h5")
    (root / entry.file).symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(InvalidRecording, match="not a plain file"):
        Recording.open(root).load(entry)


def test_a_newer_schema_is_refused_with_both_versions_named(root: Path) -> None:
    manifest = dataclasses.replace(Recording.open(root).manifest, schema=2)
    (root / "manifest.json").write_bytes(manifest.to_json())
    with pytest.raises(InvalidRecording, match="schema is 2; this version reads schema 1"):
        Recording.open(root)


def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(root: Path) -> None:
    """An HDF5 file of a few kilobytes can claim terabytes of frames."""
    recording = Recording.open(root)
    entry = recording.entries()[0]
    with h5py.File(root / "bomb.h5", "w") as file:
        file.attrs["schema"] = 1
        file.create_dataset("frames", (10**9, 36, 36, 3), np.uint8, chunks=(1, 36, 36, 3), compression="gzip")
    content = (root / "bomb.h5").read_bytes()
    (root / entry.file).write_bytes(content)
    import hashlib

    lying = dataclasses.replace(entry, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(InvalidRecording, match="claim the shape"):
        recording.load(lying)


def test_an_unfinished_recording_says_how_to_finish_it(root: Path) -> None:
    (root / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="run the same record command again"):
        Recording.open(root)


def test_a_manifest_round_trips(recorded: Path) -> None:
    content = (recorded / "manifest.json").read_bytes()
    assert Manifest.from_json(content).to_json() == content


def test_a_small_recording_has_its_share_of_validation_too() -> None:
    """And not of one policy alone."""
    plan = RecordingPlan(
        game=COUNTING, policies={"a": "", "b": "", "c": ""}, held_out={}, epsilons=(0.0,), steps=1000, test_episodes=0,
        validation=0.05, seed=0, lanes=8, max_episode_steps=None,
    )  # fmt: skip
    episodes = [plan.training_episode(index) for index in range(120)]
    chosen = [episode for episode in episodes if episode.split == "validation"]
    assert len(chosen) == 6
    assert {episode.policy for episode in chosen} == {"a", "b", "c"}
