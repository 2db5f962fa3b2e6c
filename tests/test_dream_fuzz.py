"""What nobody thought of: random orders of calls, weights that are damaged in memory, and long use."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from data_gen.actions import InvalidAction
from neural_env import shared_world
from neural_env.dream_env import DreamEnv
from neural_env.dream_vector import DreamVectorEnv
from toy_dream import TOY, actions_of, toy_world
from world_model.simulator import SimulationDiverged


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_world(tmp_path_factory.mktemp("dream") / "toy")


# ---- any order of calls --------------------------------------------------------------------------------------------


def machine_of(world: Path) -> type[RuleBasedStateMachine]:
    """An environment with a shadow, which gets the good calls only: the two must be equal at all times."""

    class Calls(RuleBasedStateMachine):
        @initialize(seed=st.integers(0, 3), start=st.sampled_from(["episode", "anywhere", 1]))
        def make(self, seed: int, start: Any) -> None:
            self.env = DreamEnv(world, render_mode="rgb_array", max_episode_steps=6, start=start)
            self.shadow = DreamEnv(world, max_episode_steps=6, start=start)
            self.closed, self.running, self.steps = False, False, 0
            self.states: list[Any] = []
            self.reset(seed, {})

        def teardown(self) -> None:
            self.env.close()

        @precondition(lambda self: not self.closed)
        @rule(seed=st.none() | st.integers(0, 3), options=st.sampled_from([{}, {"start": 0}, {"start": "anywhere"}]))
        def reset(self, seed: int | None, options: dict[str, Any]) -> None:
            left, right = (env.reset(seed=seed, options=dict(options)) for env in (self.env, self.shadow))
            np.testing.assert_array_equal(left[0], right[0])
            assert left[0] in self.env.observation_space
            self.running, self.steps = True, 0

        @precondition(lambda self: self.running and not self.closed)
        @rule(action=st.integers(0, TOY.num_actions - 1))
        def step(self, action: int) -> None:
            frame, reward, terminated, truncated, info = self.env.step(action)
            shadow = self.shadow.step(action)
            np.testing.assert_array_equal(frame, shadow[0])
            assert (reward, terminated, truncated) == shadow[1:4]
            assert frame in self.env.observation_space
            assert math.isfinite(reward)
            assert 0 <= info["termination_probability"] <= 1
            self.steps += 1
            assert not (terminated and truncated)
            assert truncated == (self.steps == 6 and not terminated)
            self.running = not (terminated or truncated)

        @rule(action=st.sampled_from([-1, TOY.num_actions, None, "1", 1.0, True, math.nan]))
        def bad_step(self, action: Any) -> None:
            with pytest.raises((InvalidAction, ResetNeeded, ClosedEnvironmentError)):
                self.env.step(action)

        @precondition(lambda self: not self.running or self.closed)
        @rule()
        def late_step(self) -> None:
            with pytest.raises((ResetNeeded, ClosedEnvironmentError)):
                self.env.step(0)

        @rule(options=st.sampled_from([{"start": 99}, {"noise": 1}, {"frames": 3}, {"state": 3}]))
        def bad_reset(self, options: dict[str, Any]) -> None:
            with pytest.raises((ValueError, ClosedEnvironmentError)):
                self.env.reset(seed=1, options=options)

        @precondition(lambda self: self.running and not self.closed)
        @rule(include_rng=st.booleans())
        def clone(self, include_rng: bool) -> None:
            self.states.append((self.env.clone_state(include_rng), self.steps))

        @precondition(lambda self: self.states and not self.closed)
        @rule(data=st.data())
        def restore(self, data: st.DataObject) -> None:
            state, self.steps = data.draw(st.sampled_from(self.states), label="state")
            for env in (self.env, self.shadow):
                env.restore_state(state)
            self.running = True

        @precondition(lambda self: not self.closed)
        @rule()
        def render(self) -> None:
            picture = self.env.render()
            assert picture is not None
            assert picture.dtype == np.uint8

        @precondition(lambda self: not self.closed)
        @rule()
        def copy(self) -> None:
            self.env = deepcopy(self.env)

        @rule()
        def close(self) -> None:
            self.env.close()
            self.closed = True

        @precondition(lambda self: not self.closed)
        @invariant()
        def refused_calls_changed_nothing(self) -> None:
            assert self.env.np_random.bit_generator.state == self.shadow.np_random.bit_generator.state

    return Calls


def run_machine(world: Path, examples: int, steps: int) -> None:
    quiet = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    run_state_machine_as_test(machine_of(world), settings=quiet)  # type: ignore[no-untyped-call]


def test_no_order_of_calls_breaks_it(world: Path) -> None:
    """Good and bad calls in any order: refused ones change nothing, and all others do what they did in the shadow."""
    run_machine(world, examples=300, steps=50)


@pytest.mark.slow
def test_no_order_of_2000_times_100_calls_breaks_it(world: Path) -> None:
    """The same, as often as a release promises."""
    run_machine(world, examples=2000, steps=100)


# ---- numbers that are none -----------------------------------------------------------------------------------------


@contextmanager
def planted(tensor: torch.Tensor, value: float) -> Iterator[None]:
    """A tensor that holds something else for a while."""
    before = tensor.clone()
    with torch.no_grad():
        tensor.fill_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            tensor.copy_(before)


def test_a_number_that_is_none_raises_and_no_frame_of_it_is_shown(world: Path) -> None:
    """Cast to a grey level, NaN is black and 300 is 44: without a word, the agent trains on noise.

    In every tensor of the world in turn, on the step that reads it; frames until then are as they were.
    """
    with closing(DreamEnv(world, start=1, reward="mode", max_episode_steps=-1)) as env:
        tensors = {
            name: tensor
            for name, tensor in env.dream.shared.world.state_dict().items()
            if tensor.is_floating_point() and tensor.numel()
        }
        assert len(tensors) > 40
        expected, _ = dream_until_it_breaks(env)
        for name, tensor in tensors.items():
            for value in (math.nan, math.inf):
                with planted(tensor, value):
                    frames, fault = dream_until_it_breaks(env)
                if value is math.inf and fault is None:
                    continue  # an infinity may be harmless: a softmax takes it for certainty
                assert fault is not None, f"{value} in {name} was not noticed"
                assert " lane 0 " in str(fault)
                assert " step " in str(fault)
                assert frames == expected[: len(frames)], f"{value} in {name}"
        assert dream_until_it_breaks(env) == (expected, None), "and all is well again"


def dream_until_it_breaks(env: DreamEnv) -> tuple[list[bytes], SimulationDiverged | None]:
    """The frames that were shown until something was no number; a step after that is refused."""
    frames = []
    try:
        frames.append(env.reset(seed=0)[0].tobytes())
        for _ in range(3):
            frames.append(env.step(1)[0].tobytes())
    except SimulationDiverged as fault:
        with pytest.raises(ResetNeeded):
            env.step(1)
        return frames, fault
    return frames, None


def test_after_a_number_that_is_none_every_lane_must_begin_anew(world: Path) -> None:
    """Their transitions were lost in the middle of a step: to go on would splice episodes."""
    with closing(DreamVectorEnv(3, world)) as envs:
        envs.reset(seed=0)
        with (
            planted(envs.dream.shared.world.dynamics.correction.bias, math.nan),
            pytest.raises(SimulationDiverged, match="lane 0"),
        ):
            envs.step([1, 1, 1])
        with pytest.raises(ResetNeeded):
            envs.step([1, 1, 1])
        with pytest.raises(ResetNeeded, match=r"lanes \[1, 2\]"):
            envs.reset(options={"reset_mask": np.array([True, False, False])})
        envs.reset()
        envs.step([1, 1, 1])


# ---- long use ------------------------------------------------------------------------------------------------------


def resident_bytes() -> int:
    """The memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def growth(envs: Any, steps: int) -> int:
    """By how much memory grows over so many steps of all lanes together."""
    before = resident_bytes()
    for actions in actions_of(steps // envs.num_envs, envs.num_envs):
        frames, rewards, *_ = envs.step(actions)
        assert np.isfinite(rewards).all()
    assert frames.any()
    return resident_bytes() - before


def test_memory_stays_flat_over_30000_steps(world: Path) -> None:
    """One peer never trims its context: its steps become slower and larger for ever.

    What leaks grows all the time; what the allocator keeps for itself comes once, whenever it likes.
    """
    with closing(DreamVectorEnv(64, world, autoreset_mode="SameStep")) as envs:
        envs.reset(seed=0)
        growth(envs, 3_000)
        sizes = [tensor.shape for tensor in envs.clone_state().simulator.tensors().values()]
        assert min(growth(envs, 9_000) for _ in range(3)) < 1 << 20
        assert [tensor.shape for tensor in envs.clone_state().simulator.tensors().values()] == sizes


@pytest.mark.slow
def test_memory_stays_flat_over_a_million_steps(world: Path) -> None:
    """Less than 1 MB in 100,000 steps."""
    with closing(DreamVectorEnv(64, world, autoreset_mode="SameStep")) as envs:
        envs.reset(seed=0)
        growth(envs, 50_000)
        assert growth(envs, 1_000_000) < 10 << 20


def test_memory_stays_flat_over_50_environments(world: Path) -> None:
    """Made, played, copied and closed, or forgotten; threads and open files as before."""

    def live(seed: int) -> None:
        env = DreamEnv(world, render_mode="rgb_array")
        env.reset(seed=seed)
        deepcopy(env).step(1)
        env.step(1)
        if seed % 2:
            env.close()

    for seed in range(10):
        live(seed)
    files, before = len(list(Path("/proc/self/fd").iterdir())), resident_bytes()
    for seed in range(50):
        live(seed)
    assert resident_bytes() - before < 4 << 20
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert len(shared_world._recent) <= shared_world._KEPT
