"""What all tests share."""

from __future__ import annotations

import os

# Tests share the machine with whatever else it does: one thread each is faster than two that wait for each other.
# Set before torch and OpenCV are imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
