"""The twin is ALE's Pong: without stickiness to the byte, with stickiness in distribution.

Stickiness lives outside the emulator, so that recordings hold the action executed on each tick. That is only honest
if the rule is the one that `ALE/Pong-v5` applies inside. Everything is seeded: no test here can fail by chance.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import ale_py
import cv2
import gymnasium
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.wrappers import AtariPreprocessing

from data_gen.twin import Twin

gymnasium.register_envs(ale_py)

NOOP, UP, DOWN = 0, 2, 3
STICKINESS = 0.25
PADDLE_Y, BALL_Y = 51, 54  # addresses in Pong's RAM
WARM_UP = 80  # ticks after which the paddle obeys
LONGEST = 7  # the longest delay that the paddle's position tells from a longer one
DELAYS = 5  # classes: 0, 1, 2, 3, and 4 or more ticks
CHI_SQUARE_0_001 = 18.47  # four degrees of freedom: exceeded once in a thousand seeds

Numbers = npt.NDArray[np.float64]


def plain_pong(**kwargs: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make("ALE/Pong-v5", **kwargs)


def ram_of(env: Any) -> npt.NDArray[np.uint8]:
    ale: ale_py.ALEInterface = (env._emulator if isinstance(env, Twin) else env.unwrapped).ale  # type: ignore[union-attr]
    return np.asarray(ale.getRAM()).copy()


def chi_square(observed: Numbers, expected: Numbers) -> float:
    return float(((observed - expected) ** 2 / expected).sum())


# ---- without stickiness ----------------------------------------------------------------------------------------


def test_without_stickiness_a_whole_game_equals_gymnasiums_preprocessing_to_the_byte() -> None:
    """Agents trained on the usual preprocessing see exactly what they know.

    The frame after the last tick differs on purpose: AtariPreprocessing shows an earlier moment there (it stops
    before it reads the screen), the twin shows the end.
    """
    base = plain_pong(frameskip=1, repeat_action_probability=0.0)
    usual = AtariPreprocessing(base, noop_max=0, frame_skip=4, screen_size=84, grayscale_obs=False)
    four = plain_pong(frameskip=4, repeat_action_probability=0.0)
    actions = np.random.default_rng(0)
    with closing(Twin("Pong", repeat_action_probability=0.0, max_noops=0)) as twin, closing(usual), closing(four):
        np.testing.assert_array_equal(twin.reset(seed=0)[0], usual.reset(seed=0)[0])
        four.reset(seed=0)
        total, ended, steps = 0.0, False, 0
        while not ended:
            action, ticks_before = int(actions.integers(6)), base.unwrapped.ale.getEpisodeFrameNumber()  # type: ignore[attr-defined]
            frame, reward, ended, _, info = twin.step(action)
            expected, *usual_outcome = usual.step(action)
            assert [reward, ended] == usual_outcome[:2]
            assert [reward, ended] == list(four.step(action)[1:3])
            assert info["executed"].tolist() == [action] * 4
            np.testing.assert_array_equal(ram_of(twin), ram_of(four))
            np.testing.assert_array_equal(ram_of(twin), ram_of(usual))
            if not ended:
                np.testing.assert_array_equal(frame, expected)
            total, steps = total + reward, steps + 1
        screen = base.unwrapped.ale.getScreenRGB()  # type: ignore[attr-defined]
        assert base.unwrapped.ale.getEpisodeFrameNumber() - ticks_before < 4, "ends within the step: one tick shows"  # type: ignore[attr-defined]
        np.testing.assert_array_equal(frame, cv2.resize(screen, (84, 84), interpolation=cv2.INTER_AREA))
        assert (frame != expected).any()
    assert total < -10, "a random player loses"
    assert steps > 700


# ---- with stickiness -------------------------------------------------------------------------------------------


def paddle_after_delay() -> dict[int, int]:
    """Paddle position two steps after a change of action that took effect `delay` ticks late, by delay."""
    signature = {}
    with closing(plain_pong(frameskip=1, repeat_action_probability=0.0)) as env:
        for delay in range(LONGEST + 1):
            env.reset(seed=0)
            for tick in range(WARM_UP + 8):
                env.step(NOOP if tick < WARM_UP + delay else UP)
            signature[int(ram_of(env)[PADDLE_Y])] = delay
    return signature


def counted(delays: list[int]) -> Numbers:
    return np.bincount(np.minimum(delays, DELAYS - 1), minlength=DELAYS).astype(np.float64)


def delays_of_twin(signature: dict[int, int], count: int) -> list[int]:
    delays = []
    with closing(Twin("Pong", repeat_action_probability=STICKINESS, max_noops=0)) as twin:
        twin.reset(seed=0)
        for _ in range(WARM_UP // 4):
            twin.step(NOOP)
        before = twin.clone_state(include_rng=False)
        for _ in range(count):
            twin.restore_state(before)
            executed = np.concatenate([twin.step(UP)[4]["executed"], twin.step(UP)[4]["executed"]])
            delays.append(signature[int(ram_of(twin)[PADDLE_Y])])
            assert delays[-1] == min((executed == NOOP).sum(), LONGEST), "what is recorded is what the emulator did"
    return delays


def delays_of_ale(signature: dict[int, int], count: int) -> list[int]:
    delays = []
    with closing(plain_pong(frameskip=1, repeat_action_probability=STICKINESS)) as env:
        env.reset(seed=0)
        for _ in range(count):
            env.reset()
            for tick in range(WARM_UP + 8):
                env.step(NOOP if tick < WARM_UP else UP)
            delays.append(signature[int(ram_of(env)[PADDLE_Y])])
    return delays


def test_a_changed_action_takes_effect_as_late_as_in_ale() -> None:
    """Read from the game's memory, not from what the twin says of itself."""
    signature = paddle_after_delay()
    assert len(signature) == LONGEST + 1, "the paddle's position tells the delays apart"
    twin, ale = counted(delays_of_twin(signature, 600)), counted(delays_of_ale(signature, 120))
    law = np.array([(1 - STICKINESS) * STICKINESS**d for d in range(DELAYS - 1)] + [STICKINESS ** (DELAYS - 1)])
    assert chi_square(twin, twin.sum() * law) < CHI_SQUARE_0_001
    pooled = (twin + ale) / (twin.sum() + ale.sum())
    keep = pooled > 0
    both = sum(chi_square(sample[keep], sample.sum() * pooled[keep]) for sample in (twin, ale))
    assert both < CHI_SQUARE_0_001
    # Negative control: with a repeat probability of 0.35 this test would have spoken.
    wrong = np.array([0.65 * 0.35**d for d in range(DELAYS - 1)] + [0.35 ** (DELAYS - 1)])
    assert chi_square(twin, twin.sum() * wrong) > CHI_SQUARE_0_001


def test_an_executed_tick_is_the_new_action_or_the_one_before_it() -> None:
    """The rule itself, over many changes, and across the border between steps."""
    actions, ticks, repeated, changes = np.random.default_rng(1), [NOOP], 0, 0
    with closing(Twin("Pong", repeat_action_probability=STICKINESS, max_noops=0)) as twin:
        twin.reset(seed=5)
        for _ in range(500):
            action = int(actions.integers(6))
            for executed in twin.step(action)[4]["executed"].tolist():
                assert executed in (action, ticks[-1])
                if action != ticks[-1]:
                    changes += 1
                    repeated += executed != action
                ticks.append(executed)
    # Five standard deviations: about one false alarm in two million seeds.
    assert abs(repeated - STICKINESS * changes) < 5 * np.sqrt(changes * STICKINESS * (1 - STICKINESS))


def returns_of_a_follower(env: Any, episodes: int) -> Numbers:
    """Returns of a player that moves its paddle towards the ball, read from RAM."""
    returns = []
    for episode in range(episodes):
        env.reset(seed=100 + episode)
        total, ended = 0.0, False
        while not ended:
            ram = ram_of(env).astype(int)
            action = UP if ram[BALL_Y] < ram[PADDLE_Y] + 4 else DOWN
            _, reward, terminated, truncated, _ = env.step(action)
            total, ended = total + reward, terminated or truncated
        returns.append(total)
    return np.array(returns)


@pytest.mark.slow
def test_one_policy_earns_the_same_in_the_twin_and_in_ale() -> None:
    """What matters in the end: a score on the twin is a score on the benchmark, within three standard errors."""
    with (
        closing(Twin("Pong", repeat_action_probability=STICKINESS, max_noops=0)) as twin,
        closing(plain_pong(frameskip=4, repeat_action_probability=STICKINESS)) as ale,
    ):
        ours, theirs = returns_of_a_follower(twin, 10), returns_of_a_follower(ale, 10)
    standard_error = np.sqrt(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
    assert 0 < standard_error < 3
    assert abs(ours.mean() - theirs.mean()) < 3 * standard_error
