"""SIGINT and SIGTERM let the current step end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether a signal has asked for an end."""

    def __init__(self) -> None:
        self.made = False


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Within, the first signal is noted and the second acts as it did before: a hanging step can still be ended."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield request
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        request.made = True
        restore()

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
