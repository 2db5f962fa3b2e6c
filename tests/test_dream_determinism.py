"""Equal seeds give equal dreams: in one process and in the next, whatever else uses random numbers there."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neural_env.dream_env import DreamEnv
from toy_dream import actions_of, assert_same, generator_of, toy_world

# What the toy world dreams from seed 0 with the actions of seed 0: a hash for the platform on which it was taken, and
# for all others nine pixels of five frames. `OMP_NUM_THREADS=1 python tests/test_dream_determinism.py` takes it anew.
GOLDEN_PLATFORM = ("GenuineIntel", "2.13.0", "AVX512")
GOLDEN_HASH = "24c18a39a950290351ec76bf802bec466a3175fe26bf18f2b1a153b324106ff4"
GOLDEN_PIXELS = [
    [165, 0, 0, 15, 92, 0, 0, 65, 236],
    [165, 0, 0, 65, 0, 0, 0, 65, 236],
    [52, 0, 0, 59, 0, 0, 0, 58, 133],
    [165, 0, 0, 17, 43, 0, 0, 65, 236],
    [2, 0, 0, 2, 53, 0, 0, 82, 179],
]

_TRACE = """
import sys
from toy_dream import actions_of
from neural_env.dream_env import DreamEnv
from test_dream_determinism import trace
print(trace(DreamEnv(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_world(tmp_path_factory.mktemp("dream") / "toy")


def played(env: Any, steps: int, seed: int = 0) -> list[Any]:
    """All that comes out, resets included."""
    outcomes: list[Any] = [env.reset(seed=seed)]
    for action in actions_of(steps):
        outcomes.append(env.step(action))
        if outcomes[-1][2]:
            outcomes.append(env.reset())
    return outcomes


def trace(env: Any, steps: int) -> str:
    """The SHA-256 of frames, rewards and flags."""
    digest = hashlib.sha256()
    for frame, *numbers in played(env, steps):
        digest.update(frame.tobytes() + repr([each for each in numbers if not isinstance(each, dict)]).encode())
    return digest.hexdigest()


def test_equal_seeds_and_actions_give_equal_dreams(world: Path) -> None:
    """Frames, rewards, flags, infos and the generator that is left: the checkers compare a single step."""
    with closing(DreamEnv(world)) as one, closing(DreamEnv(world)) as other:
        assert_same(played(one, 100), played(other, 100))
        assert generator_of(one) == generator_of(other)
        assert one.clone_state().to_bytes() == other.clone_state().to_bytes()


def test_other_seeds_give_other_dreams(world: Path) -> None:
    """A peer drops the seed of `reset`; two others hand it to a generator that their models do not use.

    From one start and with one action there is only the noise that can differ.
    """
    with closing(DreamEnv(world)) as env:
        futures = []
        for seed in (0, 0, 1):
            env.reset(seed=seed, options={"start": 0})
            futures.append(np.stack([env.step(1)[0] for _ in range(3)]))
    np.testing.assert_array_equal(futures[0], futures[1])
    assert not np.array_equal(futures[0], futures[2])


def test_a_seeded_reset_equals_a_fresh_environment_after_any_history(world: Path) -> None:
    """Nothing of an episode may leak into the next; and `reset()` goes on with the stream, not from its beginning."""
    with closing(DreamEnv(world)) as used, closing(DreamEnv(world)) as fresh:
        played(used, 30, seed=9)
        assert_same(played(used, 20), played(fresh, 20))
    with closing(DreamEnv(world)) as env:
        first, _ = env.reset(seed=1)
        later = [env.reset()[1]["start_index"] for _ in range(8)]
        before = generator_of(env)
        env.reset()
        assert generator_of(env) != before
        assert len(set(later)) > 1, "other starts follow"
        np.testing.assert_array_equal(env.reset(seed=1)[0], first)


def test_global_randomness_is_neither_read_nor_changed(world: Path) -> None:
    """Peers draw from torch's global generator, or seed it: their dreams hang on who else lives in the process."""
    with closing(DreamEnv(world)) as env:
        expected = played(env, 30)

        def states() -> list[Any]:
            numpy_state = np.random.get_state(legacy=False)
            return [random.getstate(), repr(numpy_state), torch.get_rng_state().tolist()]

        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        before = states()
        assert_same(played(env, 30), expected)
        assert states() == before


def test_environments_do_not_disturb_each_other(world: Path) -> None:
    """Interleaved, they are what they are alone."""
    with closing(DreamEnv(world)) as one, closing(DreamEnv(world)) as other:
        expected = [played(one, 15, seed=3), played(other, 15, seed=4)]
        one.reset(seed=3)
        other.reset(seed=4)
        steps: tuple[list[Any], list[Any]] = ([], [])
        for action in actions_of(15):
            for env, outcomes in zip((one, other), steps, strict=True):
                outcomes.append(env.step(action))
                if outcomes[-1][2]:
                    outcomes.append(env.reset())
        assert_same(steps[0], expected[0][1:])
        assert_same(steps[1], expected[1][1:])


def hashes_of_processes(world: Path, count: int, steps: int) -> set[str]:
    """What `count` fresh interpreters with hash seeds of their own dream."""
    root = Path(__file__).parent
    hashes = set()
    for seed in range(count):
        variables = {"PYTHONHASHSEED": str(1000 + seed), "PYTHONPATH": os.pathsep.join([str(root), str(root.parent)])}
        ended = subprocess.run(
            [sys.executable, "-c", _TRACE, str(world), str(steps)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(ended.stdout.strip())
    return hashes


def test_a_fresh_process_dreams_the_same(world: Path) -> None:
    """Hash seeds differ from process to process: no order of a set or a dictionary may matter."""
    with closing(DreamEnv(world)) as env:
        assert hashes_of_processes(world, 1, 100) == {trace(env, 100)}


@pytest.mark.slow
def test_twenty_fresh_processes_dream_the_same_1000_steps(world: Path) -> None:
    """The same, as often as a release promises."""
    with closing(DreamEnv(world)) as env:
        assert hashes_of_processes(world, 20, 1000) == {trace(env, 1000)}


def pixels_of(frame: Any) -> list[int]:
    """Nine levels, spread over the toy game's frame."""
    return [int(level) for level in frame.ravel()[11::433]]


def test_dreams_do_not_change_unnoticed(world: Path) -> None:
    """The golden trace: a change of the arithmetic shows here, and is then made on purpose.

    Elsewhere than on the platform where it was taken, a pixel may differ by a grey level.
    """
    here, found, pixels = golden(world)
    assert np.abs(np.array(pixels) - np.array(GOLDEN_PIXELS)).max() <= 1
    if here == GOLDEN_PLATFORM:
        assert found == GOLDEN_HASH


def golden(world: Path) -> tuple[tuple[str, str, str], str, list[list[int]]]:
    """Platform, hash and pixels."""
    here = _vendor(), torch.__version__.partition("+")[0], torch.backends.cpu.get_cpu_capability()
    with closing(DreamEnv(world)) as env:
        return here, trace(env, 100), [pixels_of(frame) for frame, *_ in played(env, 100)[:100:20]]


def _vendor() -> str:
    """Who made the processor: matrix products are summed in other orders on an Intel than on an AMD."""
    told = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    return next((line.split(":")[1].strip() for line in told.splitlines() if line.startswith("vendor_id")), "unknown")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(*golden(toy_world(Path(folder) / "toy")), sep="\n")
