"""Worker processes that end with whoever began them.

    with ProcessPoolExecutor(2, get_context("spawn"), die_with_parent) as pool:

A pool whose process is killed leaves its workers at what they are doing, and the next run of the same command would
find them writing into its folder.
"""

from __future__ import annotations

import multiprocessing
import os
import threading


def die_with_parent() -> None:
    """End this process at once when its parent is gone; files are written as a whole or not at all."""
    threading.Thread(target=_wait_and_die, daemon=True).start()


def _wait_and_die() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
