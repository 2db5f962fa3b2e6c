"""The stages around a recording: look at it, count it, hand it on, and make one out of a video."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from data_gen.export import ExportConfig, export
from data_gen.import_video import ImportConfig, frames_of, import_video
from data_gen.policy import Frames
from data_gen.recording import Recording
from data_gen.show import ShowConfig, show, write_video
from data_gen.stats import StatsConfig, stats
from data_gen.windows import Windows
from toy_recording import record_toy


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tools") / "toy"
    record_toy(root)
    return root


def _film(path: Path, seconds: float, fps: int = 30, side: int = 64) -> Path:
    """A film whose brightness tells the time: 8 grey levels a second (H.264 blurs the last level or two)."""

    def pictures() -> Iterator[Frames]:
        for t in range(int(seconds * fps)):
            yield np.full((side, side, 3), 8 * t // fps, np.uint8)

    write_video(path, pictures(), fps)
    return path


# ---- show and stats ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_show_writes_every_frame_enlarged_with_a_caption(recorded: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"toy{suffix}"
    show(ShowConfig(recorded, out, split="train"))
    recording = Recording.open(recorded)
    steps = recording.entries("train")[0].steps
    pictures = iio.imread(out, plugin="pyav") if suffix == ".mp4" else iio.imread(out)
    assert len(pictures) == steps + 1
    assert pictures.shape[1] > pictures.shape[2] > 300  # a caption below a crisp picture
    assert pictures[1, -40:].max() > 150  # something is written in it
    assert [file.name for file in tmp_path.iterdir()] == [out.name]


def test_show_refuses_what_is_not_there(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no episode 999 in train; it has"):
        show(ShowConfig(recorded, tmp_path / "x.mp4", episode=999, split="train"))
    with pytest.raises(ValueError, match=r"must end in \.mp4 or \.gif"):
        show(ShowConfig(recorded, tmp_path / "x.avi"))


def test_stats_add_up_to_the_manifest(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stats(StatsConfig(recorded))
    printed = capsys.readouterr().out
    total = sum(entry.steps for entry in Recording.open(recorded).entries("train"))
    assert f"{total:>10}" in next(line for line in printed.splitlines() if line.startswith("train      all"))


# ---- export --------------------------------------------------------------------------------------------------------


def test_parquet_holds_every_frame_losslessly_with_the_action_that_follows(recorded: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(ExportConfig(recorded, "parquet", str(tmp_path), split="train"))
    recording = Recording.open(recorded)
    entry = recording.entries("train")[0]
    episode = recording.load(entry)
    rows = parquet.read_table(
        tmp_path / entry.file.replace(".h5", ".parquet"), page_checksum_verification=True
    ).to_pylist()
    assert episode.actions is not None
    assert [row["action"] for row in rows] == [*episode.actions.tolist(), None]
    assert all(
        np.array_equal(iio.imread(io.BytesIO(row["frame"]["bytes"])), f)
        for row, f in zip(rows, episode.frames, strict=True)
    )


def test_minari_reads_the_same_frames_actions_and_rewards(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    export(ExportConfig(recorded, "minari", "toy/recorded-v0", split="train"))
    recording = Recording.open(recorded)
    dataset = minari.load_dataset("toy/recorded-v0")
    for entry, theirs in zip(recording.entries("train"), dataset.iterate_episodes(), strict=True):
        ours = recording.load(entry)
        assert np.array_equal(theirs.observations, ours.frames)
        assert np.array_equal(theirs.actions, ours.actions)
        assert np.array_equal(theirs.rewards, ours.rewards)
        assert np.array_equal(theirs.terminations, ours.terminated)


def test_mp4_has_every_frame(recorded: Path, tmp_path: Path) -> None:
    export(ExportConfig(recorded, "mp4", str(tmp_path), split="test"))
    entry = Recording.open(recorded).entries("test")[0]
    assert len(iio.imread(tmp_path / entry.file.replace(".h5", ".mp4"), plugin="pyav")) == entry.steps + 1


# ---- import --------------------------------------------------------------------------------------------------------


def test_a_video_becomes_a_recording_without_actions(tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", seconds=8)
    import_video(ImportConfig(film, tmp_path / "film", height=36, width=48, fps=10, start=2, end=6, episode_steps=15))
    recording = Recording.open(tmp_path / "film")
    episodes = [recording.load(entry) for entry in recording.entries()]
    frames = np.concatenate([episode.frames for episode in episodes])
    assert frames.shape[1:] == (36, 48, 3)
    assert len(frames) == pytest.approx(40, abs=1)
    assert np.allclose(frames.mean(axis=(1, 2, 3)), 8 * np.arange(2, 6, 0.1)[: len(frames)], atol=4)
    assert all(episode.actions is None and episode.rewards is None for episode in episodes)
    assert recording.manifest.game is None


def test_windows_of_a_video_have_frames_and_say_that_actions_are_unknown(tmp_path: Path) -> None:
    import_video(ImportConfig(_film(tmp_path / "film.mp4", 6), tmp_path / "film", fps=10, validation=0.0))
    batch = Windows.open(tmp_path / "film", "train", 4).batch(0, 3)
    assert batch.frames.shape == (3, 5, 84, 84, 3)
    assert (batch.actions == -1).all()
    assert np.isnan(batch.rewards).all()


def test_a_crop_takes_that_part_of_the_picture(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, 32:] = 200
    write_video(tmp_path / "film.mp4", iter([picture] * 30), 30)
    config = ImportConfig(tmp_path / "film.mp4", tmp_path / "out", crop=(4, 36, 24, 24), fps=10)
    assert next(iter(frames_of(config))).mean() == pytest.approx(200, abs=4)
    with pytest.raises(ValueError, match="leaves the picture, which is 64x64"):
        list(frames_of(ImportConfig(tmp_path / "film.mp4", tmp_path / "out", crop=(50, 0, 24, 24))))


def test_a_long_video_is_read_as_its_frames_are_needed(tmp_path: Path) -> None:
    """600 decoded frames of this film are 19 MB: reading one at a time keeps Python's peak far below."""
    film = _film(tmp_path / "film.mp4", seconds=20, side=104)
    tracemalloc.start()
    count = sum(1 for _ in frames_of(ImportConfig(film, tmp_path / "out", fps=30)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == pytest.approx(600, abs=1)
    assert peak < 4e6


def test_what_is_no_video_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"not a film at all")
    with pytest.raises(ValueError, match=r"film\.mp4 cannot be read as a video"):
        import_video(ImportConfig(tmp_path / "film.mp4", tmp_path / "out"))
    with pytest.raises(FileNotFoundError, match="no video at"):
        import_video(ImportConfig(tmp_path / "nothing.mp4", tmp_path / "out"))
    with pytest.raises(ValueError, match="fps is 0"):
        ImportConfig(tmp_path / "film.mp4", tmp_path / "out", fps=0)


def test_reading_a_recording_loads_neither_gymnasium_nor_an_emulator(recorded: Path) -> None:
    code = (
        "import sys; from data_gen.windows import Windows; Windows.open(sys.argv[1], 'train', 4).batch(0, 2);"
        "print(sorted({'gymnasium', 'ale_py', 'vizdoom', 'torch'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(recorded)], capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr
