"""Whatever happens to a recording process, whole episodes stay and the same command finishes to the same bytes."""

from __future__ import annotations

import fcntl
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_gen.recorder import RecordingStopped
from data_gen.recording import Recording
from toy_recording import record_toy, toy_plan, tree

_STEPS = 6000
_SECONDS_OF_STEPS = 30_000  # some five: a test that is held up for less still meets a recording that goes on
# More than any machine records before a test that was held up for a while comes to its kill.
_FAR_MORE_STEPS = 10_000_000
_SCRIPT = Path(__file__).with_name("toy_recording.py")


def _start(root: Path, workers: int = 1, steps: int = _STEPS) -> subprocess.Popen[str]:
    command = [sys.executable, str(_SCRIPT), str(root), str(workers), str(steps)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _workers_of(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _wait_for_episodes(root: Path, more_than: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while len(list(root.glob("*/*.h5"))) <= more_than and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def test_20_kills_at_random_moments_end_in_the_bytes_of_an_uninterrupted_recording(tmp_path: Path) -> None:
    """Episode k is a function of the plan and k, and files appear whole: no kill can show."""
    record_toy(tmp_path / "whole", steps=_STEPS)
    rng = random.Random(0)
    root, kills = tmp_path / "killed", 0
    while kills < 20:
        there = len(list(root.glob("*/*.h5")))
        process = _start(root)
        _wait_for_episodes(root, there, process)
        time.sleep(rng.uniform(0, 0.08))
        process.kill()
        process.communicate()
        for file in root.glob("*/*.h5"):
            assert file.read_bytes() == (tmp_path / "whole" / file.relative_to(root)).read_bytes()
        if process.returncode == -signal.SIGKILL:
            kills += 1
        else:  # This test was held up until the recording was whole: once more from nothing.
            assert process.returncode == 0
            shutil.rmtree(root)
    record_toy(root, steps=_STEPS)
    assert tree(root) == tree(tmp_path / "whole")


def test_a_killed_worker_gives_a_clear_error_and_leaves_whole_episodes(tmp_path: Path) -> None:
    root = tmp_path / "toy"
    process = _start(root, workers=2, steps=_FAR_MORE_STEPS)
    _wait_for_episodes(root, 2, process)
    os.kill(_workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "a worker died" in errors
    assert "the same command finishes the recording" in errors
    assert not list(root.rglob("*.tmp*"))


def test_ctrl_c_stops_within_seconds_and_leaves_whole_episodes(tmp_path: Path) -> None:
    root = tmp_path / "toy"
    process = _start(root, workers=2, steps=_SECONDS_OF_STEPS)
    _wait_for_episodes(root, 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert not list(root.rglob("*.tmp*"))
    record_toy(root, steps=_SECONDS_OF_STEPS)
    assert len(Recording.open(root).entries()) > 0


def test_workers_end_when_the_recording_process_is_killed(tmp_path: Path) -> None:
    """An orphan that went on writing would be a second writer."""
    process = _start(tmp_path / "toy", workers=2, steps=_FAR_MORE_STEPS)
    _wait_for_episodes(tmp_path / "toy", 2, process)
    workers = [Path(f"/proc/{worker}/exe") for worker in _workers_of(process)]
    assert len(workers) == 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(map(os.path.lexists, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(os.path.exists, workers))


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RecordingStopped, match="another process is recording"):
            record_toy(tmp_path)
    record_toy(tmp_path)


def test_a_full_disk_is_reported_and_leaves_no_half_written_file(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for a full disk: writing past it fails with EFBIG."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from toy_recording import record_toy;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000));"
        "record_toy(Path(sys.argv[1]))"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "toy")], capture_output=True, text=True, cwd=_SCRIPT.parent
    )
    assert ended.returncode == 1
    assert "recording stopped" in ended.stderr
    assert "File too large" in ended.stderr
    assert not list((tmp_path / "toy").rglob("*.tmp*"))


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """A file stands where the recording wants a folder: root may write anywhere else."""
    root = tmp_path / "toy"
    root.mkdir()
    (root / "train").write_text("in the way")
    with pytest.raises(RecordingStopped, match=r"recording stopped.*train"):
        record_toy(root, test_episodes=0, validation=0.0)


def test_leftovers_of_a_killed_writer_are_swept(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir(parents=True)
    (tmp_path / "plan.json").write_bytes(toy_plan().to_json())
    leftover = tmp_path / "train" / "00000001.h5.tmp4711"
    leftover.write_bytes(b"half an epi")
    record_toy(tmp_path)
    assert not leftover.exists()
