"""`neural-env doctor`: check this installation, and say for each fault what to do about it.

It imports no emulator itself: each is started in a process and a temporary directory of its own, so that one which
crashes, hangs or drops files harms nothing.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

_DISTRIBUTION = "neural-env"
_PACKAGES = ("data_gen", "world_model", "neural_env", "agents", "evaluation")
_EMULATOR_GAMES = {"ale": "Real/Pong-v0", "vizdoom": "Real/DoomBasic-v0"}
_EMULATOR_SECONDS = 120
# Two distributions that write the same module; the second is the one we ask for.
_CLASHING = (("opencv-python", "opencv-python-headless"), ("pygame", "pygame-ce"))
_CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
_OWN_ENVIRONMENT = "give neural-env a virtual environment of its own: python3 -m venv .venv"

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class DoctorConfig:
    """Check this installation; the exit code is 1 if there is a fault."""

    folder: Path = Path()  # where you want to write recordings and runs
    emulators: bool = True  # start each emulator; takes a few seconds


@dataclass(frozen=True)
class Finding:
    """One row of the table."""

    verdict: Verdict
    subject: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        row = f"{self.verdict:<8} {self.subject:<24} {self.found}"
        return f"{row}\n{'':<8} {'':<24} -> {self.advice}" if self.advice else row


def doctor(config: DoctorConfig) -> int:
    """Print a table of findings; returns 1 if one of them is a fault."""
    verdicts: list[Verdict] = []
    for finding in examine(config):
        print(finding, flush=True)
        verdicts.append(finding.verdict)
    faults, warnings = verdicts.count("fault"), verdicts.count("warning")
    print(f"\n{_counted(faults, 'fault')}, {_counted(warnings, 'warning')} in {len(verdicts)} checks")
    return int(faults > 0)


def examine(config: DoctorConfig) -> Iterator[Finding]:
    """All findings, one after another."""
    yield from check_versions()
    yield from check_packages()
    yield from check_shared_modules()
    if config.emulators:
        yield from check_emulators()
    yield check_writing(config.folder)
    yield from check_torch()


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


# ---- versions ----------------------------------------------------------------------------------------------------


def check_versions() -> Iterator[Finding]:
    """Python and every dependency against the ranges of the installed metadata."""
    try:
        about = metadata.metadata(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield Finding("fault", _DISTRIBUTION, "is not installed", "in its folder: pip install -e .")
        return
    yield Finding("ok", _DISTRIBUTION, about["Version"])
    yield _within("python", platform.python_version(), SpecifierSet(about["Requires-Python"]), "use another Python")
    for requirement in _requirements():
        yield from _check_requirement(requirement)


def _requirements() -> Iterator[tuple[Requirement, str]]:
    """Every requirement with the extra that asks for it; "" for the core."""
    extras = ["", *(metadata.metadata(_DISTRIBUTION).get_all("Provides-Extra") or [])]
    for line in metadata.requires(_DISTRIBUTION) or []:
        requirement = Requirement(line)
        marker = requirement.marker
        wanting = [extra for extra in extras if marker is None or marker.evaluate({"extra": extra})]
        if wanting and requirement.name != _DISTRIBUTION:
            yield requirement, wanting[0]


def _check_requirement(wanted: tuple[Requirement, str]) -> Iterator[Finding]:
    requirement, extra = wanted
    install = f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        if not extra:
            yield Finding("fault", requirement.name, "missing", install)
        elif extra != "dev":
            found = f"not installed; optional: pip install '{_DISTRIBUTION}[{extra}]'"
            yield Finding("ok", requirement.name, found)
        return
    if extra != "dev":
        yield _within(requirement.name, version, requirement.specifier, install)


def _within(subject: str, version: str, wanted: SpecifierSet, advice: str) -> Finding:
    found = f"{version} ({wanted})"
    if wanted.contains(version, prereleases=True):
        return Finding("ok", subject, found)
    return Finding("fault", subject, found, advice)


# ---- whose packages ----------------------------------------------------------------------------------------------


def check_packages() -> Iterator[Finding]:
    """Whether `agents` and the other four top-level names are ours."""
    foreign = foreign_packages()
    for problem in foreign:
        yield Finding("fault", "packages", problem, _OWN_ENVIRONMENT)
    if not foreign:
        yield Finding("ok", "packages", f"{', '.join(_PACKAGES)} are ours")


def foreign_packages() -> list[str]:
    """A sentence for each of our five names that another distribution has taken."""
    home = Path(__file__).resolve().parents[1]
    owners = metadata.packages_distributions()
    return [problem for name in _PACKAGES if (problem := _foreign(name, home, owners.get(name, [])))]


def _foreign(name: str, home: Path, owners: list[str]) -> str:
    others = sorted({owner for owner in owners if owner.replace("_", "-").lower() != _DISTRIBUTION})
    if others:
        return f"{name} also belongs to {', '.join(others)}, which overwrites or hides ours"
    module = importlib.util.find_spec(name)
    places = list(module.submodule_search_locations or []) if module else []
    if places and Path(places[0]).resolve() == home / name:
        return ""
    found = places[0] if places else module.origin if module else "nowhere"
    return f"{name} is found at {found}, not at {home / name}"


def check_shared_modules() -> Iterator[Finding]:
    """Distributions that write over each other's files, so that the order of installation decides."""
    for other, ours in _CLASHING:
        if _is_installed(other) and _is_installed(ours):
            advice = f"pip uninstall -y {other} {ours} && pip install {ours}"
            yield Finding("warning", ours, f"{other} is installed too and writes the same files", advice)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


# ---- emulators ---------------------------------------------------------------------------------------------------

_PLAY = """
import sys, gymnasium, neural_env
env = gymnasium.make(sys.argv[1])
env.reset(seed=0)
for _ in range(8):
    frame = env.step(0)[0]
assert frame.any(), "every pixel is black"
env.close()
"""


def check_emulators() -> Iterator[Finding]:
    """Whether each emulator starts and plays eight steps."""
    for emulator, env in _EMULATOR_GAMES.items():
        yield check_emulator(emulator, env)


def check_emulator(emulator: str, env: str) -> Finding:
    """Play eight steps of `env` in another process."""
    search_path = os.pathsep.join([str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")])
    # A process just killed may still hold its files: what cannot be removed stays in the temporary folder.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            ended = subprocess.run(
                [sys.executable, "-c", _PLAY, env],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": search_path},
                capture_output=True,
                text=True,
                timeout=_EMULATOR_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Finding("fault", emulator, f"{env} did not finish in {_EMULATOR_SECONDS} s", _reinstall(emulator))
    if ended.returncode == 0:
        return Finding("ok", emulator, f"{env} starts and plays")
    said = ended.stderr.strip().splitlines() or [f"it ended with code {ended.returncode} and said nothing"]
    return Finding("fault", emulator, f"{env}: {said[-1]}", _reinstall(emulator))


def _reinstall(emulator: str) -> str:
    distribution = {"ale": "ale-py"}.get(emulator, emulator)
    return f"pip install --force-reinstall --no-deps {distribution}"


# ---- machine -----------------------------------------------------------------------------------------------------


def check_writing(folder: Path) -> Finding:
    """Whether files can be written in `folder`."""
    place = str(folder.resolve())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("ok", "write access", place)
    except OSError as fault:
        return Finding("fault", "write access", f"{place}: {fault.strerror}", "go to a folder that you may write to")


def check_torch() -> Iterator[Finding]:
    """Threads, GPU, and whether a large CUDA build sits on a machine without one."""
    try:
        import torch
    except ImportError as fault:
        yield Finding("fault", "torch", f"does not load: {fault}", _CPU_TORCH)
        return
    yield check_threads(torch.get_num_threads(), _cores())
    yield check_lanes()
    if torch.cuda.is_available():
        yield Finding("ok", "gpu", torch.cuda.get_device_name(0))
        return
    yield Finding("ok", "gpu", "none; everything here also runs on a CPU")
    if torch.version.cuda is not None:
        found = f"{torch.__version__} carries CUDA {torch.version.cuda}, several GB that this machine does not use"
        yield Finding("warning", "torch build", found, f"if there is to be no GPU: {_CPU_TORCH}")


def check_threads(threads: int, cores: int) -> Finding:
    """Whether torch would start more threads than there are cores."""
    found = f"{_counted(threads, 'thread')} on {_counted(cores, 'core')}"
    if threads > cores:
        return Finding(
            "warning", "torch threads", found, f"export OMP_NUM_THREADS={cores}; more only wait on each other"
        )
    return Finding("ok", "torch threads", found)


def check_lanes() -> Finding:
    """Whether a lane of a dream is the same in a vector environment of any size."""
    from neural_env.lane_check import MANY, deviating_counts, random_world

    wrong = deviating_counts(random_world())
    if not wrong:
        return Finding("ok", "lanes", f"a dream is the same in 1 lane and beside {MANY - 1} others")
    return Finding(
        "warning",
        "lanes",
        f"a dream in {_listed(wrong)} lanes differs in the last bits from the same dream among {MANY}",
        "equal seeds still give equal dreams in equal numbers of lanes; for more: export OMP_NUM_THREADS=1",
    )


def _listed(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
