"""Loaded worlds, shared by all environments of a process: weights are read once, and never copied."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from pathlib import Path
from typing import Any

import torch

from neural_env.dream_options import InvalidOption
from neural_env.world_folders import WrongWorld
from world_model.bundle import LoadedWorld, load_world
from world_model.bundle_files import BundleFiles
from world_model.starts import Starts

_KEPT = 4  # worlds that outlive their environments, so that making one again is quick

_Key = tuple[Path, str, str, str]


class SharedWorld:
    """A world on a device, read-only. A copy or a pickle holds its address only, and finds this one again."""

    def __init__(self, folder: Path, device: str, dtype: str) -> None:
        loaded: LoadedWorld = load_world(folder)
        self.folder, self.device, self.dtype, self.digest = folder, device, dtype, loaded.digest
        self.world = loaded.world.to(device=_found(device), dtype=getattr(torch, dtype)).requires_grad_(False)
        self.sampling = loaded.simulator
        self.starts: Starts = loaded.starts
        self.beginnings = [index for index, start in enumerate(loaded.starts) if start.kind == "beginning"]

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.folder, self.device, self.dtype, self.digest)


_alive: weakref.WeakValueDictionary[_Key, SharedWorld] = weakref.WeakValueDictionary()
_recent: deque[SharedWorld] = deque(maxlen=_KEPT)
_lock = threading.Lock()


def shared_world(folder: Path, device: str, dtype: str) -> SharedWorld:
    """The world in `folder`, loaded unless this process has it already."""
    folder = folder.resolve()
    with _lock:
        world = _alive.get((folder, BundleFiles.open(folder).digest, device, dtype))
        if world is None:
            world = SharedWorld(folder, device, dtype)
            _alive[folder, world.digest, device, dtype] = world
        if world not in _recent:
            _recent.append(world)
    return world


def _again(folder: Path, device: str, dtype: str, digest: str) -> SharedWorld:
    with _lock:
        world = _alive.get((folder, digest, device, dtype))
    if world is not None:
        return world
    world = shared_world(folder, device, dtype)
    if world.digest != digest:
        raise WrongWorld(f"the world in {folder} is not the one that this was pickled with; put that one back")
    return world


def _found(device: str) -> torch.device:
    kind, _, place = device.partition(":")
    if kind == "cuda" and int(place or 0) >= torch.cuda.device_count():
        raise InvalidOption(f"device is {device!r}; torch finds {torch.cuda.device_count()} GPUs here: use 'cpu'")
    return torch.device(device)
