"""What is installed: the five packages with their type marker, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PACKAGES = {"neural_env", "agents", "data_gen", "world_model", "evaluation"}


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=_ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_the_wheel_holds_the_five_packages_and_no_tests(wheel_files: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_files}
    assert {top for top in tops if not top.endswith(".dist-info")} == _PACKAGES
    assert not [name for name in wheel_files if name.startswith("tests/") or "/test_" in name]


def test_the_wheel_holds_every_source_and_type_marker(wheel_files: list[str]) -> None:
    """A file that only a checkout has works for us and fails for everyone else."""
    wanted = {str(file.relative_to(_ROOT)) for package in _PACKAGES for file in (_ROOT / package).rglob("*.py")}
    wanted |= {f"{package}/py.typed" for package in _PACKAGES}
    wanted |= {str(file.relative_to(_ROOT)) for file in (_ROOT / "neural_env/play/page").iterdir()}
    assert wanted <= set(wheel_files)


def test_the_wheel_carries_licence_and_command(wheel_files: list[str]) -> None:
    assert [name for name in wheel_files if name.endswith("licenses/LICENSE")]
    assert [name for name in wheel_files if name.endswith("entry_points.txt")]
