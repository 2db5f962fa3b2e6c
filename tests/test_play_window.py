"""The window: keys act, keys change what is shown, and closing it ends the game. No screen is needed to test it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pygame
import pytest

from data_gen.window import Window
from neural_env.play.playground import InvalidPlay, Playground
from neural_env.play.scene import Scene
from neural_env.play.session import RANGES, Opening, Session
from neural_env.play.window import play_in_window
from toy_play import PLAYED, PLAYERS, toy_playground

_TIRELESS = 10_000.0  # pictures a second: nobody watches


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    return toy_playground(tmp_path_factory.mktemp("play") / "world")


def _played(
    ground: Playground, films: Path, presses: list[list[int]], monkeypatch: pytest.MonkeyPatch, view: str = "real"
) -> list[Scene]:
    """The scenes of a game in which these keys are held, one list a picture, before the window is closed."""
    scenes: list[Scene] = []
    held: list[int] = []
    show = Window.show
    with closing(Session(ground, PLAYERS, Opening(seed=1, view=view))) as session:  # type: ignore[arg-type]

        def shown(window: Window, picture: object) -> None:
            nonlocal held
            scenes.append(session.scene)
            window.fps = _TIRELESS
            show(window, picture)  # type: ignore[arg-type]
            now = presses[len(scenes) - 1] if len(scenes) <= len(presses) else []
            for key in set(held) - set(now):
                pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key))
            for key in set(now) - set(held):
                pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
            held = now
            if len(scenes) > len(presses):
                pygame.event.post(pygame.event.Event(pygame.QUIT))

        monkeypatch.setattr(Window, "show", shown)
        play_in_window(session, films)
    return scenes


def test_held_keys_act_and_arrows_do_too(ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presses = [[pygame.K_d], [pygame.K_d], [pygame.K_LEFT], []]
    scenes = _played(ground, tmp_path, presses, monkeypatch)
    assert [scene.action for scene in scenes] == [1, 2, 2, 0, 1]


def test_keys_pause_step_and_change_view_player_and_start(
    ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [pygame.K_p, pygame.K_PERIOD, pygame.K_TAB, pygame.K_m, pygame.K_RIGHTBRACKET, pygame.K_l]
    scenes = _played(ground, tmp_path, [press for key in keys for press in ([key], [])], monkeypatch, view="both")
    after = scenes[2::2]
    paused, stepped, viewed, manned, started, sampled = after
    assert paused.step == scenes[1].step
    assert stepped.step == paused.step + 1
    assert viewed.view == "dream"
    assert manned.player == "follower"
    assert started.start == (viewed.start + 1) % 4  # type: ignore[operator]
    assert sampled.episode == started.episode


def test_a_key_films(ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _played(ground, tmp_path / "films", [[pygame.K_r], [], [], [pygame.K_r], []], monkeypatch)
    name = PLAYED.name.lower()
    assert {file.name for file in (tmp_path / "films").iterdir()} == {f"{name}-1.mp4", f"{name}-1.json"}


def test_without_a_screen_the_other_ways_are_named(
    ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_screen(*arguments: object) -> None:
        raise pygame.error("No available video device")

    monkeypatch.setattr(pygame.display, "set_mode", no_screen)
    with closing(Session(ground, {})) as session, pytest.raises(InvalidPlay, match="use --web or --headless"):
        play_in_window(session, tmp_path)


def test_every_way_of_sampling_has_its_keys(
    ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page has a slider for each."""
    keys = [pygame.K_l, pygame.K_y, pygame.K_h, pygame.K_v]
    changed: list[dict[str, float]] = []
    sample = Session.sample

    def sampled(session: Session, **changes: float) -> None:
        changed.append(changes)
        sample(session, **changes)

    monkeypatch.setattr(Session, "sample", sampled)
    _played(ground, tmp_path, [[key] for key in keys], monkeypatch, view="dream")
    assert {name for change in changed for name in change} == set(RANGES)
