"""The doctor finds what is wrong with an installation, and names what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from neural_env import doctor as module
from neural_env.doctor import (
    DoctorConfig,
    Finding,
    check_emulator,
    check_threads,
    check_versions,
    check_writing,
    doctor,
)


def _taken(folder: Path) -> Path:
    """A folder that holds another distribution's package `agents`."""
    (folder / "agents").mkdir()
    (folder / "agents" / "__init__.py").write_text("")
    about = folder / "openai_agents-0.24.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: openai-agents\nVersion: 0.24.0\n")
    (about / "top_level.txt").write_text("agents\n")
    return folder


def _python(arguments: list[str], search_path: Path) -> subprocess.CompletedProcess[str]:
    """Run Python away from the checkout, which would otherwise come first."""
    environment = {**os.environ, "PYTHONPATH": str(search_path)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=search_path.parent, env=environment, capture_output=True, text=True, check=False)


def test_a_clash_with_openai_agents_is_named_with_what_to_do(tmp_path: Path) -> None:
    ended = _python(["-m", "neural_env.command", "doctor", "--no-emulators"], _taken(tmp_path))
    assert ended.returncode == 1
    assert "agents also belongs to openai-agents" in ended.stdout
    assert "virtual environment of its own" in ended.stdout


def test_an_orphaned_folder_that_hides_ours_is_named(tmp_path: Path) -> None:
    """What uninstalling the other distribution can leave behind: a package without a distribution."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    ended = _python(["-c", "from neural_env.doctor import foreign_packages; print(*foreign_packages())"], tmp_path)
    assert f"agents is found at {tmp_path / 'agents'}" in ended.stdout


def test_a_stage_that_the_clash_breaks_says_so_in_one_sentence(tmp_path: Path) -> None:
    ended = _python(["-m", "neural_env.command", "agent", "train", "--help"], _taken(tmp_path))
    assert ended.returncode == 2
    assert "openai-agents" in ended.stderr
    assert "neural-env doctor" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_this_installation_has_no_fault(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert doctor(DoctorConfig(folder=tmp_path, emulators=False)) == 0
    assert "0 faults" in capsys.readouterr().out


@pytest.mark.parametrize(("emulator", "env"), [("ale", "Real/Pong-v0"), ("vizdoom", "Real/DoomBasic-v0")])
def test_each_emulator_starts_and_leaves_no_file_behind(
    emulator: str, env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_emulator(emulator, env).verdict == "ok"
    assert list(tmp_path.iterdir()) == []


def test_an_emulator_that_does_not_start_is_a_fault() -> None:
    finding = check_emulator("ale", "Real/NoSuchGame-v0")
    assert finding.verdict == "fault"
    assert "NoSuchGame" in finding.found
    assert "pip install" in finding.advice


@pytest.mark.parametrize(
    ("requirement", "extra", "verdict"),
    [
        ("numpy>=1", "", "ok"),
        ("numpy>=999", "", "fault"),
        ("no-such-distribution", "", "fault"),
        ("no-such-distribution", "play", "ok"),
    ],
)
def test_versions_are_held_against_their_ranges(
    requirement: str, extra: str, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def requirements() -> Iterator[tuple[Requirement, str]]:
        yield Requirement(requirement), extra

    monkeypatch.setattr(module, "_requirements", requirements)
    assert [finding.verdict for finding in check_versions()][2:] == [verdict]


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    assert check_writing(tmp_path).verdict == "ok"
    finding = check_writing(tmp_path / "missing")
    assert finding.verdict == "fault"
    assert str(tmp_path / "missing") in finding.found


def test_more_threads_than_cores_is_a_warning() -> None:
    assert check_threads(2, 2).verdict == "ok"
    assert "OMP_NUM_THREADS=2" in check_threads(64, 2).advice


def test_a_fault_makes_the_exit_code_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def examined(config: DoctorConfig) -> Iterator[Finding]:
        yield Finding("warning", "torch threads", "64 threads on 2 cores", "fewer")
        yield Finding("fault", "ale-py", "missing", "pip install ale-py")

    monkeypatch.setattr(module, "examine", examined)
    assert doctor(DoctorConfig(folder=tmp_path)) == 1
