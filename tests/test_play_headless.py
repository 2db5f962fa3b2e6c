"""Play without a screen: films, the logs beside them, and the same frames again from a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from data_gen.games import add_game
from neural_env.command import main
from neural_env.dream_options import DreamOptions
from neural_env.play import action_log, film
from neural_env.play.action_log import Acted, ActionLog, Begun, InvalidLog, read_log
from neural_env.play.headless import pictures_of
from neural_env.play.match import Match
from neural_env.play.playground import Playground
from neural_env.play.session import Opening, Session
from toy_dream import actions_of, toy_world
from toy_play import BEGINNING, MIDDLE, PLAYED, PLAYERS, toy_playground


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    add_game(PLAYED)
    return toy_world(tmp_path_factory.mktemp("play") / "world", PLAYED)


@pytest.fixture(scope="module")
def ground(world: Path) -> Playground:
    return Playground.dream_of(DreamOptions(world=str(world)))


@pytest.fixture
def session(ground: Playground) -> Any:
    with closing(Session(ground, PLAYERS, Opening(seed=5))) as session:
        yield session


# ---- replay -------------------------------------------------------------------------------------------------------


def test_a_log_gives_the_same_frames_again(ground: Playground, session: Session, tmp_path: Path) -> None:
    """With everything in it that can happen: two episodes, two players, another way of sampling, a film begun late."""
    session.begin(MIDDLE)
    session.show("both")
    for action in actions_of(4):
        session.turn(int(action))
    session.start_film(tmp_path / "play.mp4")
    shown = [session.picture()]

    def turns(count: int) -> None:
        for action in actions_of(count, seed=len(shown)):
            session.turn(int(action))
            shown.append(session.picture())

    turns(3)
    session.sample(temperature=1.5, steps=2)
    turns(3)
    session.begin(BEGINNING)
    shown.append(session.picture())
    session.play_as("follower")
    turns(5)
    session.finish_film()
    log = read_log(tmp_path / "play.json")
    assert (log.skipped, log.steps) == (4, 15)
    with closing(Match(ground)) as match:
        match.require_fitting(log)
        again = list(pictures_of(match, log))
    np.testing.assert_array_equal(again, shown)
    assert len(iio.imread(tmp_path / "play.mp4", plugin="pyav")) == len(shown)


def test_a_real_game_is_replayed_without_any_world(tmp_path: Path) -> None:
    ground = Playground.real_game("Pong")
    with closing(Session(ground, {})) as session:
        session.begin()
        session.start_film(tmp_path / "pong.gif")
        shown = [session.turn(action).panels[0].frame for action in (2, 2, 3, 0)]
        session.finish_film()
    log = read_log(tmp_path / "pong.json")
    assert log.world is None
    with closing(Match(ground)) as match:
        for event in log.events[:1]:
            match.apply(event)
        for frame, action in zip(shown, (2, 2, 3, 0), strict=True):
            match.act(action)
            np.testing.assert_array_equal(match.panels[0].frame, frame)


def test_a_log_of_another_world_is_refused(ground: Playground, tmp_path: Path) -> None:
    """Its actions would be played in a dream that they do not fit."""
    begun = Begun("dream", 0, 1, None)
    other = toy_playground(tmp_path / "other", PLAYED.replace(name="PlayedOther"))
    for log, says in (
        (ActionLog("Pong", None, 0, (begun,)), "is of Pong"),
        (ActionLog(PLAYED.name, other.digest, 0, (begun,)), "is of world"),
        (ActionLog(PLAYED.name, ground.digest, 0, (begun, Acted(7, 1))), "has action 7"),
    ):
        with closing(Match(ground)) as match, pytest.raises(InvalidLog, match=says):
            match.require_fitting(log)


def _sane() -> dict[str, Any]:
    begun = {"name": "begun", "view": "real", "start": None, "seed": 1, "sampling": None}
    acted = {"name": "acted", "action": 1, "times": 2}
    return {"game": "Pong", "world": None, "skipped": 0, "events": [begun, acted], "format": 1}


def test_a_sane_log_is_read(tmp_path: Path) -> None:
    """So that what follows is refused for its one fault."""
    (tmp_path / "log.json").write_text(json.dumps(_sane()))
    assert read_log(tmp_path / "log.json").steps == 2


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda log: log | {"format": 2}, "format is 2"),
        (lambda log: log | {"extra": 1}, "unknown fields"),
        (lambda log: log | {"events": []}, "events is empty"),
        (lambda log: log | {"events": log["events"][1:]}, "does not begin"),
        (lambda log: log | {"skipped": 9}, "skipped is 9"),
        (lambda log: log | {"events": [log["events"][0] | {"seed": -1}]}, "seed is -1"),
        (lambda log: log | {"events": [log["events"][0] | {"start": -1}]}, "start is -1"),
        (lambda log: log | {"events": [*log["events"], {"name": "acted", "action": 0, "times": 10**9}]}, "times"),
        (lambda log: log | {"events": [*log["events"], {"name": "eval", "code": "1"}]}, "name"),
        (lambda log: [log], "expected an object"),
    ],
)
def test_a_spoiled_log_is_refused_by_name(tmp_path: Path, spoil: Callable[[Any], Any], says: str) -> None:
    file = tmp_path / "log.json"
    file.write_text(json.dumps(spoil(_sane())))
    with pytest.raises(InvalidLog, match=f"log.json is no log of actions.*{says}"):
        read_log(file)


def test_a_log_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_log, "_MAX_BYTES", 10)
    (tmp_path / "log.json").write_text(json.dumps(_sane()))
    with pytest.raises(InvalidLog, match="at most 10"):
        read_log(tmp_path / "log.json")


# ---- films --------------------------------------------------------------------------------------------------------


def test_a_film_that_is_full_ends_by_itself(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fills a disk by forgetting a film."""
    monkeypatch.setitem(film.MAX_PICTURES, ".mp4", 5)
    session.begin()
    session.start_film(tmp_path / "long.mp4")
    for _ in range(8):
        session.turn(0)
    assert session.films == [tmp_path / "long.mp4"]
    assert len(iio.imread(tmp_path / "long.mp4", plugin="pyav")) == 5


def test_a_film_ends_when_its_picture_changes_its_size(session: Session, tmp_path: Path) -> None:
    session.begin()
    session.start_film(tmp_path / "one.mp4")
    session.turn(0)
    session.show("both")
    assert session.films == [tmp_path / "one.mp4"]
    assert not session.scene.filming
    assert read_log(tmp_path / "one.json").steps == 1


def test_a_film_that_is_not_finished_leaves_nothing(ground: Playground, tmp_path: Path) -> None:
    for name in ("lost.mp4", "lost.gif"):
        with closing(Session(ground, {})) as session:
            session.begin()
            session.start_film(tmp_path / name)
            session.turn(0)
    assert list(tmp_path.iterdir()) == []


# ---- the command --------------------------------------------------------------------------------------------------


def test_actions_a_player_and_a_log_can_be_filmed(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "moves.txt").write_text("RIGHT 3\nLEFT\n")

    def filmed(out: str, *flags: str) -> ActionLog:
        command = ["play", "--world", str(world), "--headless", "--out", str(tmp_path / out), *flags]
        assert main(command) == 0, capsys.readouterr().err
        return read_log((tmp_path / out).with_suffix(".json"))

    script = filmed("script.gif", "--actions", str(tmp_path / "moves.txt"), "--both", "--start", str(MIDDLE))
    assert script.events[1:] == (Acted(2, 3), Acted(0, 1))
    filmed("agent.mp4", "--actions", "random-hold", "--steps", "6", "--real", "--seed", "4")
    filmed("again.gif", "--actions", str(tmp_path / "script.json"))
    # GIFs hold the pictures and nothing else: H.264 once differed, which does not say that the pictures did.
    assert (tmp_path / "again.gif").read_bytes() == (tmp_path / "script.gif").read_bytes()
    assert "real" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "actions"), [("Pong", "zoo/ppo-5"), ("Boxing", "random-hold")])
def test_the_real_game_is_played_with_and_without_a_world(
    name: str, actions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--actions", actions, "--steps", "12", "--out", str(tmp_path / "film.mp4")]
    assert main(["play", name, "--real", "--headless", *flags]) == 0, capsys.readouterr().err
    log = read_log(tmp_path / "film.json")
    assert (log.game, log.world is None, log.steps) == (name, name == "Boxing", 12)


def test_a_game_without_a_world_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "Boxing"]) == 2
    err = capsys.readouterr().err
    assert "no world of Boxing comes with this package" in err
    assert "neural-env world train" in err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--real", "--both"], "--real and --both"),
        (["--web", "--headless"], "--web and --headless"),
        (["--headless"], "--headless needs --actions"),
        (["--real", "--out", "a.mp4"], "are for --headless"),
        (["--real", "--headless", "--actions", "zoo/none", "--out", "a.mp4"], "no player 'zoo/none'"),
        (["--real", "--headless", "--actions", "random-hold", "--out", "a.avi"], "must end in .mp4 or .gif"),
        (["--real", "--headless", "--actions", "random-hold", "--out", "a.mp4", "--start", "300"], "start is 300"),
        (["--real", "--headless", "--actions", "random-hold", "--out", "a.mp4", "--start", "x"], "start is 'x'"),
        (["--real", "--player", "nobody"], "nobody"),
        (["--real", "--web", "--host", "0.0.0.0"], "open to other machines"),
    ],
)
def test_flags_that_cannot_be_are_refused_and_nothing_is_left(
    flags: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["play", "Pong", *flags]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
