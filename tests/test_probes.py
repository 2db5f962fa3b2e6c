"""Probes see what is on the screen: measured against the emulator's memory, and against pictures painted over."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import vizdoom

from data_gen.policy import Frames
from data_gen.probes import NoProbe, probe
from data_gen.probes.digits import BLANK, UNREADABLE, number
from data_gen.probes.ram import breakout_from_ram, pong_from_ram
from data_gen.probes.validate import errors, main, play

_TRUTHS = {"Pong": pong_from_ram, "Breakout": breakout_from_ram}
_GAMES = list(_TRUTHS)
_BROWN, _WHITE, _GREEN = (144, 72, 17), (236, 236, 236), (92, 186, 92)
# A share of 0.5 % of 1,500 frames is 7; the probes are wrong in at most 2 of these frames, which are always the same.
_FRAMES = 1_500


@dataclasses.dataclass(frozen=True)
class Scene:
    """Real frames and the truth about them."""

    frames: Frames
    truth: Any

    def third(self) -> Scene:
        """Every third of the frames."""
        parts = {field.name: getattr(self.truth, field.name)[::3] for field in dataclasses.fields(self.truth)}
        return Scene(self.frames[::3], type(self.truth)(**parts))


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    made = {}
    for name, truth_of in _TRUTHS.items():
        chunks = list(play(name, _FRAMES, seed=7))
        ram = np.concatenate([chunk.ram for chunk in chunks])
        made[name] = Scene(np.concatenate([chunk.frames for chunk in chunks]), truth_of(ram))
    return made


def _assert_promised(wrong: dict[str, npt.NDArray[np.float64]], promise: float = 0.995) -> None:
    """Present, absent or a number: right in the promised share of frames. A position: within a pixel in that share."""
    shares = {
        name: float((error <= (1 if name.endswith(("_x", "_y", "(x, y)")) else 0)).mean())
        for name, error in wrong.items()
    }
    assert {name: share for name, share in shares.items() if share < promise} == {}


def _pong_frame(*boxes: tuple[int, int, tuple[int, int, int]]) -> Frames:
    """A field without paddles and with native 2x4 boxes at (row, column)."""
    native = np.full((210, 160, 3), _BROWN, np.uint8)
    native[24:34] = native[194:] = _WHITE
    for row, column, colour in boxes:
        native[row : row + 4, column : column + 2] = colour
    return np.asarray(cv2.resize(native, (84, 84), interpolation=cv2.INTER_AREA), np.uint8)[None]


# ---- against the memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _GAMES)
def test_probes_agree_with_the_memory(scenes: dict[str, Scene], name: str) -> None:
    """Every later figure about "the ball" is worth as much as this."""
    scene = scenes[name]
    _assert_promised(errors(probe(name)(scene.frames), scene.truth))


@pytest.mark.parametrize("name", _GAMES)
def test_the_frames_hold_what_the_promises_are_about(scenes: dict[str, Scene], name: str) -> None:
    """Agreement about nothing is worth nothing: balls there and not there, both scores and bricks changing."""
    truth = scenes[name].truth
    assert 0.2 < truth.ball_present.mean() < 0.95
    if name == "Pong":
        assert len(np.unique(truth.own_score)) > 1
        assert len(np.unique(truth.other_score)) > 1
        assert not truth.other_present.all()
    else:
        assert len(np.unique(truth.score)) > 3
        assert np.unique(truth.lives).tolist() == [1, 2, 3, 4, 5]
        assert truth.bricks.any(axis=0).all()
        assert (~truth.bricks).any(axis=0).mean() > 0.5


@pytest.mark.parametrize("name", _GAMES)
def test_noise_changes_little(scenes: dict[str, Scene], name: str) -> None:
    """Dream frames are never exact: 8 grey levels up or down in every component."""
    frames = scenes[name].frames
    noise = np.random.default_rng(0).integers(-8, 9, frames.shape, np.int16)
    _assert_promised(errors(probe(name)(np.clip(frames + noise, 0, 255).astype(np.uint8)), scenes[name].truth))


@pytest.mark.parametrize("name", _GAMES)
def test_a_brighter_picture_changes_little(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name].third()
    brighter = np.clip(scene.frames.astype(np.int16) + 6, 0, 255).astype(np.uint8)
    _assert_promised(errors(probe(name)(brighter), scene.truth))


def test_blur_changes_little_in_pong(scenes: dict[str, Scene]) -> None:
    """Dream frames are a little soft. The ball is blurred most: it is small."""
    blurred = np.stack([cv2.GaussianBlur(frame, (5, 5), 0.6) for frame in scenes["Pong"].frames])
    _assert_promised(errors(probe("Pong")(np.asarray(blurred, np.uint8)), scenes["Pong"].truth), promise=0.99)


@pytest.mark.parametrize("name", _GAMES)
def test_a_frame_is_read_by_itself(scenes: dict[str, Scene], name: str) -> None:
    frames = scenes[name].frames[::50]
    batch = probe(name)(frames)
    for index in range(len(frames)):
        single = probe(name)(frames[index : index + 1])
        for field in dataclasses.fields(batch):
            # Sums over a batch and over one frame may be added up in another order: six digits are plenty.
            np.testing.assert_allclose(getattr(single, field.name)[0], getattr(batch, field.name)[index], rtol=1e-4)


# ---- against paint ---------------------------------------------------------------------------------------------------


def test_an_empty_field_has_no_ball_and_no_paddle() -> None:
    reading = probe("Pong")(_pong_frame())
    assert not reading.ball_present[0]
    assert not reading.own_present[0]
    assert not reading.other_present[0]
    assert np.isnan(reading.ball_x[0])
    assert np.isnan(reading.own_y[0])


def test_a_painted_ball_is_where_it_was_painted() -> None:
    """Rows 100 to 103, columns 60 and 61: the middle is (61, 102) in native edges."""
    reading = probe("Pong")(_pong_frame((100, 60, _WHITE)))
    assert reading.balls[0] == 1
    assert reading.ball_x[0] == pytest.approx(61 * 84 / 160 - 0.5, abs=0.15)
    assert reading.ball_y[0] == pytest.approx(102 * 84 / 210 - 0.5, abs=0.15)


def test_two_balls_are_a_ghost() -> None:
    reading = probe("Pong")(_pong_frame((100, 60, _WHITE), (130, 90, _WHITE)))
    assert reading.balls[0] == 2
    assert reading.ghost[0]


def test_a_ball_at_a_bar_and_a_ball_over_a_paddle_are_seen() -> None:
    """The bars are as white as the ball, and a paddle is green where the ball is white."""
    touching = _pong_frame((34, 60, _WHITE))
    over = _pong_frame(
        *((row, column, _GREEN) for row in range(96, 112, 4) for column in (140, 142)), (100, 140, _WHITE)
    )
    paddle_alone = _pong_frame(*((row, column, _GREEN) for row in range(96, 112, 4) for column in (140, 142)))
    assert probe("Pong")(np.concatenate([touching, over, paddle_alone])).balls.tolist() == [1, 1, 0]


def test_painting_the_ball_over_makes_it_absent(scenes: dict[str, Scene]) -> None:
    scene = scenes["Pong"]
    frames = scene.frames[scene.truth.ball_present].copy()
    frames[:, 14:77, 12:72] = _BROWN
    between_paddles = (scene.truth.ball_x > 14) & (scene.truth.ball_x < 70)
    gone = ~probe("Pong")(frames).ball_present[between_paddles[scene.truth.ball_present]]
    # At the bars the ball reaches into the two rows that were not painted.
    assert gone.mean() > 0.9


def test_a_second_ball_in_breakout_is_a_ghost(scenes: dict[str, Scene]) -> None:
    scene = scenes["Breakout"]
    clear = scene.truth.ball_present & (scene.truth.ball_y > 40) & (scene.truth.ball_y < 55)
    frames = scene.frames[clear].copy()
    frames[:, 64:66, 40] = (200, 72, 72)
    assert (probe("Breakout")(frames).balls == 2).all()


def test_a_painted_hole_is_a_missing_brick(scenes: dict[str, Scene]) -> None:
    """Brick (5, 3) covers native rows 87 to 92 and columns 32 to 39, about rows 35 to 37 and columns 17 to 20 here."""
    scene = scenes["Breakout"]
    whole = scene.frames[scene.truth.bricks.all(axis=(1, 2))][:1].copy()
    assert probe("Breakout")(whole).bricks.all()
    whole[:, 35:38, 17:21] = 0
    assert np.argwhere(~probe("Breakout")(whole).bricks[0]).tolist() == [[5, 3]]


def test_a_score_that_is_no_number_is_unreadable(scenes: dict[str, Scene]) -> None:
    smeared = scenes["Pong"].frames[:1].copy()
    smeared[:, :9, 18:24] = smeared[:, :9, 18:24].mean(axis=(1, 2), keepdims=True).astype(np.uint8)
    assert probe("Pong")(smeared).other_score.tolist() == [UNREADABLE]


def test_a_blank_within_a_number_is_unreadable() -> None:
    digits = [np.array([BLANK, 1, 1, BLANK]), np.array([BLANK, BLANK, UNREADABLE, 4])]
    assert number(digits).tolist() == [UNREADABLE, UNREADABLE, UNREADABLE, 4]


# ---- Doom ------------------------------------------------------------------------------------------------------------


def test_fireballs_are_seen_where_the_engine_says_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine labels every pixel by its object: the truth for a probe that is given nothing but colours."""
    monkeypatch.chdir(tmp_path)
    with closing(vizdoom.DoomGame()) as engine:
        engine.load_config(f"{vizdoom.scenarios_path}/take_cover.cfg")
        engine.set_window_visible(False)
        engine.set_screen_format(vizdoom.ScreenFormat.RGB24)
        engine.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        engine.set_labels_buffer_enabled(True)
        engine.set_seed(7)
        engine.init()
        frames, fire = [], []
        for tick in range(1_200):
            if engine.is_episode_finished():
                engine.new_episode()
            state = engine.get_state()
            balls = [label.value for label in state.labels if label.object_name == "DoomImpBall"]
            for picture, kept in ((state.screen_buffer, frames), (np.isin(state.labels_buffer, balls) * 1.0, fire)):
                kept.append(cv2.resize(picture, (96, 72), interpolation=cv2.INTER_AREA))
            engine.make_action([tick // 20 % 2, 1 - tick // 20 % 2])
    seen, truth_BHW = probe("DoomTakeCover")(np.stack(frames)), np.stack(fire)
    amount = truth_BHW.sum(axis=(1, 2))
    assert (seen.fireballs[amount >= 1] > 0).mean() > 0.95
    assert (seen.fireballs[amount >= 4] > 0).all()
    assert not seen.fireballs[amount == 0].any()
    alone = (seen.fireballs == 1) & (amount >= 4)
    rows, columns = (np.arange(size) for size in truth_BHW.shape[1:])
    true_x, true_y = columns @ truth_BHW.sum(axis=1).T, rows @ truth_BHW.sum(axis=2).T
    for place, moment in ((seen.fireball_x, true_x), (seen.fireball_y, true_y)):
        assert (np.abs(place - moment / np.maximum(amount, 1))[alone] < 1.5).mean() > 0.9


# ---- the border ------------------------------------------------------------------------------------------------------


def test_a_game_without_a_probe_is_refused_by_name() -> None:
    with pytest.raises(NoProbe, match=r"no probe for the game 'Boxing'; there are probes for Pong, Breakout"):
        probe("Boxing")


@pytest.mark.parametrize("name", _GAMES)
def test_wrong_frames_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"frames are float32 \[84, 84, 3\]; expected uint8 \[B, 84, 84, 3\]"):
        probe(name)(np.zeros((84, 84, 3), np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", _GAMES)
def test_no_frames_give_an_empty_reading(name: str) -> None:
    assert len(probe(name)(np.zeros((0, 84, 84, 3), np.uint8)).ball_present) == 0


def test_validation_prints_every_quantity(capsys: pytest.CaptureFixture[str]) -> None:
    main("Pong", frames=60)
    printed = capsys.readouterr().out
    for quantity in ("ball_present", "ball (x, y)", "own_y", "other_y", "own_score", "other_score", "by native screen"):
        assert quantity in printed
