"""Worlds by name: a folder here, a game whose world ships with the package, or `hf:org/name@revision` on the hub.

    load_world(resolve_world("worlds/pong"))
    load_world(resolve_world("Pong"))                           # if there is no such folder
    load_world(resolve_world("hf:someone/pong-world@v1"))       # needs the extra: pip install 'neural-env[hub]'

Only the prefix `hf:` makes anything here touch the network. Of a repository only the five files of a bundle are
fetched, their sizes bounded beforehand, and they are checked as any bundle is. A commit that was fetched once is not
asked for again.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from world_model.bundle import load_world
from world_model.bundle_files import MAX_BYTES
from world_model.shipped import shipped_world

_PREFIX = "hf:"
_REPOSITORY = r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}"
_NAME = re.compile(rf"{_PREFIX}({_REPOSITORY})@([A-Za-z0-9][\w.-]{{0,95}})", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubUnavailable(OSError):
    """The hub could not give or take a world; the message says which, and what the hub said."""


def resolve_world(name: str, cache: Path | None = None) -> Path:
    """The folder of the world called `name`; one from the hub is fetched into `cache` first.

    Example:
        >>> resolve_world("worlds/pong").as_posix()
        'worlds/pong'
    """
    if not name.startswith(_PREFIX):
        return (None if Path(name).is_dir() else shipped_world(name)) or Path(name)
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{name!r} names no world; expected {_PREFIX}org/name@revision, the revision being a tag, branch or commit"
        )
    repository, revision = match.groups()
    cache = _default_cache() if cache is None else cache
    if _COMMIT.fullmatch(revision) and (kept := _kept(cache, repository, revision)).is_dir():
        return kept
    return _fetched(_hub(), name, repository, revision, cache)


def push_world(folder: Path | str, repository: str) -> str:
    """Upload the world in `folder` to `org/name`, once it was found whole; returns the name that loads it."""
    if re.fullmatch(_REPOSITORY, repository, re.ASCII) is None:
        raise ValueError(f"{repository!r} names no repository; expected org/name")
    digest = load_world(folder).digest
    api = _hub().HfApi()
    try:
        api.create_repo(repository, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=str(folder),
            allow_patterns=list(MAX_BYTES),
            commit_message=f"World {digest[:12]}",
        )
    except Exception as fault:  # the hub's own errors have no base class that all its versions share
        raise HubUnavailable(f"{folder} could not be pushed to {repository}: {fault}") from fault
    return f"{_PREFIX}{repository}@{commit.oid}"


def _hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as fault:
        raise HubUnavailable(
            f"names with {_PREFIX} need huggingface_hub, which is not installed: pip install 'neural-env[hub]'"
        ) from fault


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neural-env" / "worlds"


def _kept(cache: Path, repository: str, commit: str) -> Path:
    return cache / f"{repository.replace('/', '--')}--{commit}"


def _fetched(hub: Any, name: str, repository: str, revision: str, cache: Path) -> Path:
    """Fetch a bundle into a folder of its own: the hub's cache holds links, which a bundle may not have."""
    api = hub.HfApi()
    try:
        commit = api.repo_info(repository, revision=revision).sha
        found = api.get_paths_info(repository, list(MAX_BYTES), revision=commit)
        sizes = {each.path: getattr(each, "size", None) for each in found}
    except Exception as fault:  # as above
        raise HubUnavailable(f"{name} could not be found: {fault}") from fault
    for file, limit in MAX_BYTES.items():
        size = sizes.get(file)
        if size is None or size > limit:
            found = f"{file} of {size} bytes" if size else f"no file {file}"
            raise ValueError(f"{name} has {found}; expected at most {limit} bytes: it is no world of ours")
    kept = _kept(cache, repository, commit)
    if not kept.is_dir():
        _fetch(hub, name, repository, commit, kept)
    return kept


def _fetch(hub: Any, name: str, repository: str, commit: str, kept: Path) -> None:
    unfinished = kept.with_name(f".{kept.name}.unfinished{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    try:
        for file in MAX_BYTES:
            try:
                shutil.copyfile(hub.hf_hub_download(repository, file, revision=commit), unfinished / file)
            except Exception as fault:  # as above
                raise HubUnavailable(f"{file} of {name} could not be fetched: {fault}") from fault
        load_world(unfinished)
        with suppress(OSError):  # another process was faster, with the same content
            unfinished.rename(kept)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
