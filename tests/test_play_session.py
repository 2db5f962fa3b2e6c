"""A session shows what the environments show: the same dream, the same game, and both from one moment with one play."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from data_gen.twin import Twin
from neural_env.dream_env import DreamEnv
from neural_env.dream_options import DreamOptions
from neural_env.play.keys import action_of
from neural_env.play.playground import InvalidPlay, Playground
from neural_env.play.scene import Scene
from neural_env.play.session import AGAIN_AFTER, RANGES, Opening, Session
from neural_env.play.sides import Abandoned
from toy_dream import actions_of, toy_world
from toy_game import COUNTING
from toy_game import action_of as action_of_frame
from toy_play import BEGINNING, MIDDLE, PLAYED, PLAYERS, toy_playground
from world_model.simulator import SimulationDiverged, Simulator


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    return toy_playground(tmp_path_factory.mktemp("play") / "world")


@pytest.fixture
def session(ground: Playground) -> Iterator[Session]:
    with closing(Session(ground, PLAYERS, Opening(seed=5))) as session:
        yield session


def _frames(scene: Scene) -> dict[str, np.ndarray]:
    return {panel.side: panel.frame for panel in scene.panels}


# ---- the dream ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [BEGINNING, MIDDLE])
def test_the_dream_is_that_of_the_environment(ground: Playground, session: Session, start: int) -> None:
    """Playing must show what agents are trained in."""
    assert ground.dream is not None
    with closing(DreamEnv(ground.dream.folder)) as env:
        frame, _ = env.reset(seed=9, options={"start": start})
        scene, score = session.begin(start, seed=9), 0.0
        for action in actions_of(30):
            np.testing.assert_array_equal(scene.panels[0].frame, frame)
            frame, reward, terminated, _, info = env.step(action)
            scene, score = session.turn(int(action)), score + reward
            assert (scene.panels[0].score, scene.panels[0].over) == (score, terminated)
            assert scene.executed == tuple(info["executed"])
            if terminated:
                break
        assert scene.step > 3


def test_another_way_of_sampling_is_seen_from_the_next_step_on(session: Session) -> None:
    session.begin(MIDDLE, seed=1)
    usual = [session.turn(0).panels[0].frame for _ in range(3)]
    first = session.begin(MIDDLE, seed=1).panels[0].frame
    session.sample(temperature=2.0)
    assert not np.array_equal(session.turn(0).panels[0].frame, usual[0])
    assert np.array_equal(first, session.begin(MIDDLE, seed=1).panels[0].frame)


@pytest.mark.parametrize("name", RANGES)
def test_a_slider_goes_no_further_than_its_end(session: Session, name: str) -> None:
    """One evaluation more costs time; a million would cost the evening."""
    session.begin()
    for value, expected in ((1e9, RANGES[name].most), (-1e9, RANGES[name].least)):
        session.sample(**{name: value})
        assert getattr(session.sampling, name) == expected
    session.turn(0)


def test_a_dream_that_breaks_off_says_so_and_can_begin_anew(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(self: Simulator, *arguments: object) -> None:
        raise SimulationDiverged("latents", 0, 1)

    session.begin()
    with monkeypatch.context() as patched:
        patched.setattr(Simulator, "_require_finite", diverge)
        with pytest.raises(InvalidPlay, match="the dream broke off: the latents of lane 0"):
            session.turn(0)
    assert session.over
    assert session.begin().step == 0
    assert session.turn(0).step == 1


# ---- dream and real -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [BEGINNING, MIDDLE])
def test_the_real_game_is_brought_to_the_moment_the_dream_begins_at(
    ground: Playground, session: Session, start: int
) -> None:
    """By the emulator's seed and the ticks before; a second time from what was kept of the first."""
    assert ground.starts is not None
    session.begin(start)
    for view in ("both", "real", "both"):
        shown = _frames(session.show(view))  # type: ignore[arg-type]
        np.testing.assert_array_equal(shown["real"], ground.starts[start].frames[-1])


@pytest.mark.parametrize("start", [BEGINNING, MIDDLE])
def test_side_by_side_the_real_game_plays_the_ticks_that_the_dream_drew(
    ground: Playground, session: Session, start: int
) -> None:
    """Else the two would drift apart by luck, and nobody could say what the world has not learned."""
    assert ground.starts is not None
    moment = ground.starts[start]
    session.begin(start, seed=2)
    session.show("both")
    executed = moment.prefix
    with closing(Twin(PLAYED)) as twin:
        for action in actions_of(12):
            scene = session.turn(int(action))
            executed = np.concatenate([executed, [scene.executed]])
            np.testing.assert_array_equal(_frames(scene)["real"], twin.replay(moment.reset_seed, executed)[0])
            if scene.panels[0].over:
                break
    drawn = executed[len(moment.prefix) :]
    assert (drawn[:, 0] != drawn[:, 1]).any(), "some tick was sticky, or this shows nothing"


def test_when_one_side_ends_the_other_plays_on(session: Session) -> None:
    session.begin(MIDDLE, seed=0)
    scene = session.show("both")
    for _ in range(200):
        scene = session.turn(1)
        if any(panel.over for panel in scene.panels):
            break
    ended = next(panel for panel in scene.panels if panel.over)
    (goes_on,) = (panel for panel in scene.panels if not panel.over)
    later = {panel.side: panel for panel in session.turn(2).panels}
    assert later[ended.side] is ended
    assert not np.array_equal(later[goes_on.side].frame, goes_on.frame)


def test_a_view_is_another_look_at_the_same_episode(session: Session) -> None:
    session.begin(MIDDLE, seed=3)
    alone = [session.turn(0).panels[0].frame for _ in range(4)]
    session.show("both")
    beside = [session.turn(0).panels[0].frame for _ in range(4)]
    np.testing.assert_array_equal(alone, beside)


def test_the_real_game_alone_sticks_by_the_sessions_seed(session: Session) -> None:
    def played(seed: int) -> list[tuple[int, ...]]:
        session.show("real")
        session.begin(BEGINNING, seed)
        return [session.turn(int(action)).executed for action in actions_of(15)]

    session.begin()
    assert played(1) == played(1)
    assert played(1) != played(2)


def test_leaving_breaks_off_the_way_to_a_moment_far_away(session: Session) -> None:
    """A start may be thousands of steps into a game: whoever has left must not keep a core busy."""
    session.begin(MIDDLE)
    session.leave()
    with pytest.raises(Abandoned):
        session.show("real")


# ---- who plays, and where -----------------------------------------------------------------------------------------


def test_an_agent_plays_what_it_sees_and_a_human_takes_over(session: Session) -> None:
    session.begin()
    session.show("real")
    session.play_as("follower")
    assert action_of_frame(session.scene.panels[0].frame) == -1, "before the first action, no column is lit"
    assert session.turn(2).action == 0
    session.play_as("human")
    assert session.turn(2).action == 2


def test_an_agent_begins_again_and_a_human_is_waited_for(session: Session) -> None:
    for player, episodes in (("human", 1), ("follower", 2)):
        session.play_as(player)
        first = session.begin().episode
        for _ in range(200):
            if session.turn(0).panels[0].over:
                break
        assert session.over
        for _ in range(AGAIN_AFTER):
            scene = session.turn(0)
        assert scene.episode == first + episodes - 1


def test_beginnings_are_drawn_from_the_pool_that_was_asked_for(ground: Playground, session: Session) -> None:
    episode = {session.begin("episode").start for _ in range(20)}
    assert episode == set(ground.beginnings)
    assert {session.begin("anywhere").start for _ in range(40)} == set(range(4))
    assert session.begin(MIDDLE).start == MIDDLE
    assert session.begin().start == MIDDLE, "the last choice stays"


@pytest.mark.parametrize("start", [99, -1, "nowhere", 1.5, True])
def test_a_start_that_is_none_leaves_the_game_as_it_was(session: Session, start: int) -> None:
    session.begin(MIDDLE)
    session.turn(0)
    with pytest.raises(InvalidPlay, match="start"):
        session.begin(start)
    assert (session.scene.step, session.scene.start) == (1, MIDDLE)
    assert session.turn(0).step == 2


def test_an_unknown_player_is_refused_by_name(ground: Playground, session: Session) -> None:
    with pytest.raises(InvalidPlay, match="no player 'nobody'; there are human, follower"):
        session.play_as("nobody")
    with pytest.raises(InvalidPlay, match="nobody"):
        Session(ground, PLAYERS, Opening(player="nobody"))


def test_the_most_keys_that_are_held_decide() -> None:
    assert [action_of(PLAYED, held) for held in ({"a"}, {"d"}, {"d", "x"}, set(), {"x"})] == [0, 2, 2, 1, 1]


# ---- what there is to play ----------------------------------------------------------------------------------------


def test_the_real_game_can_be_played_without_any_world() -> None:
    ground = Playground.real_game("Pong")
    with closing(Session(ground, {})) as session, closing(Twin("Pong")) as twin:
        scene = session.begin(seed=4)
        frame, _ = twin.reset(seed=4)
        for action in (2, 2, 3):
            np.testing.assert_array_equal(scene.panels[0].frame, frame)
            scene, frame = session.turn(action), twin.step(action)[0]
        for refused in (lambda: session.show("dream"), lambda: session.begin(0), lambda: session.sample(steps=2)):
            with pytest.raises(InvalidPlay, match=r"without a world|no world here"):
                refused()


@pytest.mark.parametrize("name", ["Stranger", "Pong"])
def test_a_world_cannot_bring_a_game_of_its_own(tmp_path: Path, name: str) -> None:
    """A bundle from anywhere may say which module makes its game: that is never imported."""
    world = toy_world(tmp_path / "world", COUNTING.replace(name=name))
    ground = Playground.dream_of(DreamOptions(world=str(world)))
    assert ground.views == ("dream",)
    with closing(Session(ground, {})) as session:
        session.begin()
        with pytest.raises(InvalidPlay, match="real cannot be shown"):
            session.show("real")


def test_a_game_that_was_recorded_with_another_time_limit_is_the_same_game(tmp_path: Path) -> None:
    """`record --max-episode-steps` is in the world's spec, and must not cost its real side."""
    short = PLAYED.replace(max_steps=12)
    ground = Playground.dream_of(DreamOptions(world=str(toy_world(tmp_path / "world", short))))
    with closing(Session(ground, {}, Opening(view="real"))) as session:
        session.begin(BEGINNING)
        assert [session.turn(0).panels[0].over for _ in range(12)] == [False] * 11 + [True]
