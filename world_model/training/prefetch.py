"""Batches read ahead in a thread, while the step before is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from world_model.training.task import Source

_AHEAD = 2


def prefetched(source: Source, spans: Iterable[tuple[int, int]]) -> Generator[Any]:
    """The batches at these (position, size), in this order; close the iterator to end its thread."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    waiting: deque[Future[Any]] = deque()
    try:
        for position, size in spans:
            waiting.append(pool.submit(source.batch, position, size))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
