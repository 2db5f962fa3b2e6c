"""The simulator: explicit state, one generator a lane, lanes that do not touch, and nothing that is not a number."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
import torch

from data_gen.policy import Frames
from tiny_world import tiny_starts, tiny_world
from world_model.lane_state import SimulatorState
from world_model.picture import Picture
from world_model.pixels import to_frames
from world_model.simulator import SimulationDiverged, Simulator, SimulatorConfig

_CONTEXTS = tiny_starts(count=8).contexts()


def _simulator(config: SimulatorConfig | None = None, seed: int = 0) -> Simulator:
    return Simulator(tiny_world(seed=seed), config)


def _ticks(step: int, lanes: Sequence[int]) -> np.ndarray:  # type: ignore[type-arg]
    """Each lane's own ticks at a step, whoever runs beside it."""
    return np.array([np.random.default_rng([step, lane]).integers(3, size=2) for lane in lanes])


def _start(simulator: Simulator, lanes: Sequence[int]) -> SimulatorState:
    return simulator.start([_CONTEXTS[lane % 8] for lane in lanes], list(lanes))[0]


def _go(simulator: Simulator, state: SimulatorState, lanes: Sequence[int], steps: range) -> tuple[Frames, np.ndarray]:  # type: ignore[type-arg]
    frames, rewards = [], []
    for each in steps:
        state, step = simulator.step(state, _ticks(each, lanes))
        frames.append(step.frames)
        rewards.append(np.stack([step.rewards, step.terminated, step.termination_probability]))
    return np.stack(frames, axis=1), np.stack(rewards, axis=-1)


def test_the_same_seed_gives_the_same_dream_and_another_gives_another() -> None:
    simulator, lanes = _simulator(), [0]
    first, again = (_go(simulator, _start(simulator, lanes), lanes, range(20)) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    other, _ = simulator.start([_CONTEXTS[0]], [1])
    assert not np.array_equal(_go(simulator, other, lanes, range(20))[0], first[0])


@pytest.mark.parametrize("lanes", [[2], [2, 5], [5, 0, 2], list(range(8)), list(range(32))])
def test_a_lane_dreams_bit_for_bit_alike_in_any_company(lanes: list[int]) -> None:
    simulator = _simulator()
    frames, outcomes = _go(simulator, _start(simulator, lanes), lanes, range(12))
    for place, lane in enumerate(lanes):
        alone, alone_outcomes = _go(simulator, _start(simulator, [lane]), [lane], range(12))
        assert np.array_equal(frames[place], alone[0])
        assert np.array_equal(outcomes[:, place], alone_outcomes[:, 0])


def test_nothing_global_is_read_or_changed() -> None:
    simulator = _simulator()
    calm, _ = _go(simulator, _start(simulator, [1]), [1], range(8))
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    state = _start(simulator, [1])
    _go(simulator, state, [1], range(4))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]
    torch.manual_seed(1)
    disturbed, _ = _go(simulator, _start(simulator, [1]), [1], range(8))
    assert np.array_equal(calm, disturbed)


def test_a_clone_goes_the_same_way_and_one_without_the_generators_another() -> None:
    simulator, lanes = _simulator(), [3, 4]
    state = _start(simulator, lanes)
    _go(simulator, state, lanes, range(5))
    copy, written = state.clone(), SimulatorState.from_tensors(state.tensors())
    strayed = state.clone(same_random=False)
    onward = _go(simulator, state, lanes, range(5, 15))[0]
    assert np.array_equal(_go(simulator, copy, lanes, range(5, 15))[0], onward)
    assert np.array_equal(_go(simulator, written, lanes, range(5, 15))[0], onward)
    assert not np.array_equal(_go(simulator, strayed, lanes, range(5, 15))[0], onward)


def test_a_state_survives_being_written_down_to_the_byte() -> None:
    simulator = _simulator()
    state = _start(simulator, [0, 1])
    _go(simulator, state, [0, 1], range(3))
    first = state.tensors()
    second = SimulatorState.from_tensors(first).tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_lanes_can_be_chosen_and_replaced_in_the_middle_of_others() -> None:
    simulator, lanes = _simulator(), [0, 1, 2]
    state = _start(simulator, lanes)
    undisturbed = _go(simulator, state.clone(), lanes, range(12))[0]
    _go(simulator, state, lanes, range(6))
    state.put([1], _start(simulator, [7]))
    mixed = _go(simulator, state, [0, 1, 2], range(6, 12))[0]
    assert np.array_equal(mixed[[0, 2]], undisturbed[[0, 2], 6:])
    fresh = _start(simulator, [7])
    assert np.array_equal(mixed[1], _go(simulator, fresh, [1], range(6, 12))[0][0])
    doubled = state.select([2, 0, 2])
    again = _go(simulator, doubled, [2, 2, 2], range(12, 15))[0]
    assert np.array_equal(again[0], again[2])
    assert not np.array_equal(again[0], again[1])


def test_contexts_of_different_lengths_start_together() -> None:
    simulator = _simulator()
    lengths = {len(context.frames) for context in _CONTEXTS}
    assert len(lengths) > 1
    together, _ = simulator.start(_CONTEXTS, range(8))
    for lane, context in enumerate(_CONTEXTS):
        alone, _ = simulator.start([context], [lane])
        assert torch.equal(together.latents_BND[lane], alone.latents_BND[0])
        assert torch.equal(together.memory.taken_B[lane], alone.memory.taken_B[0])


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_every_number_of_evaluations_gives_finite_frames_and_its_own(steps: int) -> None:
    simulator = _simulator(SimulatorConfig(steps=steps, temperature=1.0))
    frames, _ = _go(simulator, _start(simulator, [0]), [0], range(3))
    reference = _simulator()
    one, _ = _go(reference, _start(reference, [0]), [0], range(3))
    assert np.array_equal(frames, one) == (steps == 3)


def test_temperature_guidance_and_context_noise_each_matter() -> None:
    def dream(**changes: float) -> Frames:
        simulator = _simulator(SimulatorConfig(reward="mode", **changes))  # type: ignore[arg-type]
        return _go(simulator, _start(simulator, [0]), [0], range(6))[0]

    plain = dream()
    for changes in ({"temperature": 0.5}, {"guidance": 2.0}, {"context_noise": 0.3}):
        assert not np.array_equal(dream(**changes), plain), changes
    assert np.array_equal(dream(guidance=1.0), plain)


def test_rewards_follow_their_probabilities_and_the_mode_is_the_likeliest() -> None:
    simulator, lanes = _simulator(SimulatorConfig(reward="sample")), list(range(400))
    context = [_CONTEXTS[0]] * len(lanes)
    state, _ = simulator.start(context, lanes)
    _, step = simulator.step(state, np.zeros((len(lanes), 2), np.int64))
    values = np.array(simulator.world.config.outcome.rewards)
    expected = (step.reward_probabilities[0] * values).sum()
    spread = np.sqrt((step.reward_probabilities[0] * (values - expected) ** 2).sum() / len(lanes))
    assert abs(step.rewards.mean() - expected) < 5 * spread
    share = step.termination_probability[0]
    assert abs(step.terminated.mean() - share) < 5 * np.sqrt(share * (1 - share) / len(lanes))
    certain = _simulator(SimulatorConfig(reward="mode"))
    _, step = certain.step(certain.start(context[:1], [0])[0], np.zeros((1, 2), np.int64))
    assert step.rewards[0] == values[step.reward_probabilities[0].argmax()]


@pytest.mark.parametrize("reward", ["sample", "mode"])
def test_a_game_ends_with_the_reward_that_ends_it_and_with_no_other(reward: Literal["sample", "mode"]) -> None:
    world = tiny_world()
    values = np.array(world.config.outcome.rewards)
    with torch.no_grad():
        for head in (world.outcome.reward, world.outcome.termination):
            head.weight.zero_()
        world.outcome.reward.bias.copy_(torch.tensor([0.0, 0.5, 0.0]))
        world.outcome.termination.bias.copy_(torch.tensor([20.0, -20.0, -20.0, 20.0, 20.0, -20.0]))  # with the second
    simulator = Simulator(world, SimulatorConfig(reward=reward))
    _, step = simulator.step(simulator.start([_CONTEXTS[0]] * 60, range(60))[0], np.zeros((60, 2), np.int64))
    assert np.array_equal(step.terminated, step.rewards == values[1])
    assert len(set(step.rewards.tolist())) == (3 if reward == "sample" else 1)
    assert np.allclose(step.termination_probability, step.reward_probabilities[:, 1], atol=1e-6)


def test_a_dream_knows_what_it_has_paid_and_forgets_it_in_time() -> None:
    """A point is paid once: whether it was paid a step ago, no picture says."""
    simulator = _simulator()
    outcome, ticks = simulator.world.outcome, np.zeros((3, 2), np.int64)
    state = _start(simulator, [0, 0, 0])
    assert (state.paid_BP == len(outcome.config.rewards)).all()  # of what came before nobody knows
    state.pay(torch.tensor([0, 1, 1]))
    _, step = simulator.step(state, ticks)
    assert not np.array_equal(step.reward_probabilities[0], step.reward_probabilities[1])
    assert np.array_equal(step.reward_probabilities[1], step.reward_probabilities[2])
    for _ in range(outcome.config.recall):
        state, step = simulator.step(state, ticks)
        assert torch.equal(state.paid_BP[:, -1], outcome.classes(torch.from_numpy(step.rewards)))
    simulator.look(state, step.frames, np.array([2.0, 0.0, np.nan]))
    assert state.paid_BP[:, -1].tolist() == [2, 0, 3]


def test_nothing_of_a_dream_is_seen_after_a_look_at_the_real_frames() -> None:
    simulator = _simulator()
    state, tokenizer = _start(simulator, [0, 1, 2]), simulator.world.tokenizer
    real = state.picture.frames_BHWC.numpy()
    for turn in range(6):
        state, step = simulator.step(state, _ticks(turn, [0, 1, 2]))
        with torch.no_grad():
            assert np.array_equal(step.frames, to_frames(tokenizer.decode(state.latents_BND)).numpy())
        simulator.look(state, real, step.rewards)


def test_what_was_paid_before_each_step_of_a_run_is_that_of_a_dream() -> None:
    outcome = tiny_world().outcome
    before = outcome.paid_before(torch.tensor([[0.0, 2.0, torch.nan, 1.0, 0.0, 0.0]]))
    state = _start(_simulator(), [0])
    for step, which in enumerate([0, 2, 3, 1, 0, 0]):
        assert torch.equal(before[:, step], state.paid_BP)
        state.pay(torch.tensor([which]))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_picture_that_is_mended_square_by_square_is_the_picture_of_the_latents(temperature: float) -> None:
    """Many squares stay as they were: those of a lane must not end up in another, nor be forgotten."""
    simulator = _simulator(SimulatorConfig(steps=5, temperature=temperature))
    state, tokenizer = _start(simulator, [0, 1, 2]), simulator.world.tokenizer
    stayed = 0
    for turn in range(20):
        before = state.latents_BND
        state, step = simulator.step(state, _ticks(turn, [0, 1, 2]))
        stayed += int((state.latents_BND == before).all(-1).sum())
        with torch.no_grad():
            anew = Picture.of(tokenizer, state.latents_BND)
            decoded = to_frames(tokenizer.decode(state.latents_BND))
        assert np.array_equal(step.frames, decoded.numpy())
        assert torch.equal(state.picture.frames_BHWC, anew.frames_BHWC)
        assert torch.equal(state.picture.strangeness_BN, anew.strangeness_BN)
    assert stayed > 0


def test_frames_that_were_handed_out_stay_as_they_are() -> None:
    simulator = _simulator()
    state = _start(simulator, [0, 1])
    state, first = simulator.step(state, _ticks(0, [0, 1]))
    kept = first.frames.copy()
    state, second = simulator.step(state, _ticks(1, [0, 1]))
    assert np.array_equal(first.frames, kept)
    assert not np.array_equal(second.frames, kept)


def test_bfloat16_dreams_nearly_alike_and_each_lane_as_if_alone() -> None:
    """Weights are shipped in it: what differs is rounding on the way."""
    precise, fast = Simulator(tiny_world()), Simulator(tiny_world().bfloat16())
    expected = precise.step(_start(precise, [0, 1, 2]), _ticks(0, [0, 1, 2]))[1]
    state, step = fast.step(_start(fast, [0, 1, 2]), _ticks(0, [0, 1, 2]))
    assert state.memory.keys_LBNHRM.dtype == torch.bfloat16
    assert (np.abs(step.frames.astype(int) - expected.frames) <= 4).mean() > 0.9
    assert np.allclose(step.reward_probabilities, expected.reward_probabilities, atol=0.05)
    frames, _ = _go(fast, _start(fast, range(8)), range(8), range(12))
    for lane in range(8):
        assert np.array_equal(frames[lane], _go(fast, _start(fast, [lane]), [lane], range(12))[0][0])


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_reported_on_the_step_where_it_arises(poison: float) -> None:
    world = tiny_world()
    simulator = Simulator(world)
    begun = _start(simulator, [0, 1])
    taken = int(begun.memory.taken_B[0])
    for name, weight in world.named_parameters():
        # The encoder has done its work. A score of minus infinity is a place that is not looked at, or a reward that is
        # not given: nothing arises.
        if ".encoder." in name or (name.endswith(("key.weight", "reward.weight", "termination.weight")) and poison > 0):
            continue
        before = weight.detach().clone()
        with torch.no_grad():
            # Only some of their rows are read, or only the squares that change painted.
            partly = ("recalled_PVH", "local_ticks.weight", "tick_embedding.weight", "backdrop_HWC")
            weight.view(-1)[slice(None) if name.endswith(partly) else 0] = poison
        with pytest.raises(SimulationDiverged, match=rf"of lane 0 are not finite at step {taken} "):
            simulator.step(begun.clone(), np.zeros((2, 2), np.int64))
        with torch.no_grad():
            weight.copy_(before)
    simulator.step(begun, np.zeros((2, 2), np.int64))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("steps", 6),
        ("temperature", -1.0),
        ("temperature", float("nan")),
        ("context_noise", 1.0),
        ("reward", "best"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{field} is "):
        SimulatorConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("executed", [[[3, 0]], [[0, -2]], [[0]], [[0, 0], [0, 0]]])
def test_ticks_that_the_game_does_not_have_are_refused_and_change_nothing(executed: list[list[int]]) -> None:
    simulator = _simulator()
    state = _start(simulator, [0])
    before = state.clone().tensors()
    with pytest.raises(ValueError, match=r"^executed "):
        simulator.step(state, np.array(executed))
    assert all(torch.equal(value, before[name]) for name, value in state.tensors().items())


def test_as_many_seeds_as_contexts() -> None:
    with pytest.raises(ValueError, match="1 contexts and 2 seeds"):
        _simulator().start(_CONTEXTS[:1], [1, 2])
