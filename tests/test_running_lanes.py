"""Lanes that wait cost nothing, and the others do not notice that they wait."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from agents.games import DreamtGames
from neural_env.beginning import Beginning
from neural_env.dream import Dream
from neural_env.dream_options import DreamOptions
from neural_env.lanes import DreamLanes
from toy_dream import actions_of, toy_world
from world_model.simulator import SimulationDiverged, Simulator

LANES = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_world(tmp_path_factory.mktemp("world")))


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lanes that went through the network, pass by pass."""
    counts: list[int] = []
    usual = Simulator.advance

    def counted(self, state, executed_BK):  # type: ignore[no-untyped-def]
        counts.append(len(executed_BK))
        return usual(self, state, executed_BK)

    monkeypatch.setattr(Simulator, "advance", counted)
    return counts


def _lanes(world: str) -> DreamLanes:
    lanes = Dream(DreamOptions(world=world)).lanes([np.random.default_rng(seed) for seed in range(LANES)])
    lanes.begin(range(LANES), [Beginning(start="episode")] * LANES)
    return lanes


def _only(*lanes: int) -> npt.NDArray[np.bool_]:
    return np.isin(np.arange(LANES), lanes)


def test_lanes_that_run_are_picked_once_enough_others_wait(world: str, passed: list[int]) -> None:
    lanes = _lanes(world)
    for running in (range(LANES), range(5), range(4), (5,), ()):
        lanes.step(np.ones(LANES, np.int64), _only(*running))
    assert passed == [8, 8, 4, 1, 8]


def test_a_lane_dreams_the_same_whoever_waits(world: str, passed: list[int]) -> None:
    """One lane after the other waits, and begins anew when all do; the last one that runs never notices."""
    apart, together = _lanes(world), _lanes(world)
    for turn, actions in enumerate(actions_of(3 * LANES, LANES)):
        until = LANES - turn % LANES  # lanes from there on wait
        before = apart.frames.copy()
        step, wanted = apart.step(actions, np.arange(LANES) < until), together.step(actions, ~_only())
        rows = [step.frames, step.rewards, step.terminated, step.reward_probabilities, step.termination_probability]
        others = [wanted.frames, wanted.rewards, wanted.terminated, wanted.reward_probabilities]
        for row, other in zip(rows, [*others, wanted.termination_probability], strict=True):
            assert np.array_equal(row[:until], other[:until])
            assert row is rows[0] or not row[until:].any()
        assert np.array_equal(step.frames[until:], before[until:])
        if until == 1:
            for lanes in (apart, together):
                lanes.generators = [np.random.default_rng(turn + lane) for lane in range(LANES)]
                lanes.begin(range(LANES), [Beginning(start="episode")] * LANES)
            for lane in range(LANES):
                assert np.array_equal(apart.frames[lane], together.frames[lane])
    assert set(passed) == {8, 4, 3, 2, 1}


def test_the_last_games_do_not_wait_for_lanes_that_have_ended(world: str, passed: list[int]) -> None:
    games = DreamtGames(4, world=world)
    for lane in range(4):
        games.begin(lane, seed=lane)
    games.step([1], np.array([2]))
    games.step([1, 3], np.array([2, 0]))
    assert passed == [1, 2]
    games.close()


def test_a_lane_that_breaks_is_named_as_it_is_counted(world: str) -> None:
    lanes = _lanes(world)
    lanes._state.latents_BND[6] = np.nan
    with pytest.raises(SimulationDiverged, match=r"of lane 6 are not finite at step \d+ of its dream"):
        lanes.step(np.ones(LANES, np.int64), _only(5, 6))
