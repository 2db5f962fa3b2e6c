"""No worker goes on when the process that began it has been killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from data_gen.die_with_parent import die_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), die_with_parent) as pool:
        pool.submit(print, "at work", flush=True)
        pool.submit(time.sleep, 60).result()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_the_process_that_began_it(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    begun = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert begun.stdout is not None
    assert begun.stdout.readline() == "at work\n"
    begun.send_signal(number)
    begun.communicate(timeout=20)  # the end of the output: nobody holds it open any more
