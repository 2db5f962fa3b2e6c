"""Play a plan and write it down: many lanes, several workers, never a half-written episode.

    record(plan, load_policy, Path("recordings/pong"), workers=2)

A worker takes a block of eight episodes that share a policy, plays them side by side, and writes each one as it ends.
Whatever is killed, whole episodes stay and the next call finishes the recording, to the same bytes.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_gen.atomic import sweep_temporary, write_atomically
from data_gen.plan import RecordingPlan
from data_gen.player import MakePolicy, play_plan, steps_in
from data_gen.recording import Manifest, describe, write_manifest
from data_gen.spec import GameSpec

_PACKAGES = ("neural-env", "ale-py", "gymnasium", "numpy", "opencv-python-headless", "vizdoom")


class RecordingStopped(RuntimeError):
    """The recording could not go on; what is whole stays, and the same command finishes it."""


def record(
    plan: RecordingPlan, make_policy: MakePolicy, root: Path, workers: int = 1, progress: bool = True
) -> Manifest:
    """Play `plan` into the folder `root`, or finish what an earlier call left there."""
    with sole_writer(root):
        _begin(plan, root)
        with tqdm(total=plan.steps, unit="step", desc=f"recording {plan.game.name}", disable=not progress) as bar:
            try:
                play_plan(plan, make_policy, root, workers, bar.update)
            except (OSError, BrokenProcessPool) as fault:
                sweep_temporary(root)
                cause = "a worker died" if isinstance(fault, BrokenProcessPool) else str(fault)
                raise RecordingStopped(
                    f"recording stopped: {cause}. Whole episodes are in {root}; the same command finishes the recording"
                ) from fault
        return _publish(plan, root)


def manifest_of(
    root: Path, spec: GameSpec, source: dict[str, Any], policies: dict[str, dict[str, Any]], files: list[str]
) -> Manifest:
    """The manifest for these episode files, each read back and checked."""
    versions = {package: version(package) for package in _PACKAGES}
    entries = tuple(describe(file, (root / file).read_bytes()) for file in files)
    return Manifest(spec.frame_size, spec.render_fps, spec, source, versions, policies, entries)


# ---- the folder ----------------------------------------------------------------------------------------------------


@contextmanager
def sole_writer(root: Path) -> Iterator[None]:
    """Hold the folder's lock; a second writer is refused. The lock goes with the process, however it ends."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise RecordingStopped(
                f"another process is recording into {root}; wait for it or choose another folder"
            ) from fault
        yield


def _begin(plan: RecordingPlan, root: Path) -> None:
    file = root / "plan.json"
    if file.exists() and file.read_bytes() != plan.to_json():
        raise RecordingStopped(f"{file} is another plan; a recording is finished with the settings it was begun with")
    if not file.exists():
        if any(root.glob("*/*.h5")) or (root / "manifest.json").exists():
            raise RecordingStopped(f"{root} already holds a recording; choose another folder")
        write_atomically(file, plan.to_json())
    sweep_temporary(root)


def _publish(plan: RecordingPlan, root: Path) -> Manifest:
    """Keep exactly the episodes that the plan needs, however many workers ran ahead, and write the manifest."""
    needed = [plan.test_episode(index).file for index in range(plan.test_episodes)]
    steps, index = 0, 0
    while steps < plan.steps:
        file = plan.training_episode(index).file
        steps, index = steps + steps_in(root / file), index + 1
        needed.append(file)
    for extra in sorted({str(path.relative_to(root)) for path in root.glob("*/*.h5")} - set(needed)):
        (root / extra).unlink()
    policies = {
        name: {"sha256": digest, "held_out": name in plan.held_out}
        for name, digest in (plan.policies | plan.held_out).items()
    }
    manifest = manifest_of(root, plan.spec, plan.to_dict(), policies, sorted(needed))
    write_manifest(root, manifest)
    return manifest
