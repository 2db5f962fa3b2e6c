"""A flood at full speed: the server, who floods it, and the player who must not notice, each in a process of its own.

What the other player feels is a matter of how many cores there are; it is printed: `pytest -m slow -s
tests/test_play_flood.py`.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from play_client import Client

_SECONDS = 4.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)")
_MEGABYTE = 1 << 20


@pytest.mark.slow
def test_four_seconds_of_flood_cost_the_server_nothing_that_stays() -> None:
    """And the latest action wins; how much later the other player's pictures come is printed."""
    with _server() as (pid, doors), closing(Client(doors)) as quiet, closing(Client(doors)) as other:
        other.say("pause", paused=True)
        _intervals(quiet, _SECONDS)  # what is used for the first time
        calm, before = _intervals(quiet, _SECONDS), _resident(pid)
        flooder = multiprocessing.get_context("spawn").Process(target=_flood, args=(doors.port, doors.token))
        flooder.start()
        quiet.until(lambda about: True)
        time.sleep(3)  # until it has been imported and connected
        flooded, after = _intervals(quiet, _SECONDS), _resident(pid)
        flooder.join(30)
        assert flooder.exitcode == 0, "what was said last was not played"
    slower = np.percentile(flooded, 99) / np.percentile(calm, 99)
    print(
        f"\nthe other player's time to a picture: p99 {1e3 * np.percentile(calm, 99):.0f} ms in peace, "
        f"{1e3 * np.percentile(flooded, 99):.0f} ms in the flood ({slower:.2f} times); "
        f"{(after - before) / _MEGABYTE:.1f} MB of memory"
    )
    assert after - before < 10 * _MEGABYTE


def _flood(port: int, token: str) -> None:
    """In a process of its own: 8 seconds at full speed, then one last word, which has to be obeyed."""
    with closing(Client(_doors(port, token))) as loud:
        loud.flood(time.monotonic() + 2 * _SECONDS, ["s"])
        loud.until(lambda about: about["action"] == 3)


def _intervals(client: Client, seconds: float) -> list[float]:
    """Between pictures."""
    times = [time.monotonic()]
    while times[-1] < times[0] + seconds:
        client.turn()
        times.append(time.monotonic())
    return list(np.diff(times))


@contextmanager
def _server() -> Iterator[tuple[int, Any]]:
    command = [sys.executable, "-u", "-m", "neural_env.command", "play", "Pong", "--web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = next(found for line in server.stdout if (found := _ADDRESS.search(line)))
            yield server.pid, _doors(int(found[1]), found[2])
        finally:
            server.terminate()


def _doors(port: int, token: str) -> Any:
    return SimpleNamespace(port=port, token=token, cookie=f"neural_env_play_{port}")


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123  (it is no file)
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
