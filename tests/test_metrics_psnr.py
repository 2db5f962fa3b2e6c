"""PSNR and gain: what moves is judged apart, and a prediction that knows nothing gains nothing."""

from __future__ import annotations

import numpy as np
import pytest

from data_gen.policy import Frames
from world_model.metrics.gain import gain, gain_over_baseline
from world_model.metrics.intervals import estimate_of_sums
from world_model.metrics.psnr import (
    ROUNDING_MSE,
    frame_psnr,
    mean_squared_errors,
    moving_pixels,
    pooled_psnr,
    psnr,
    squared_errors,
)


def _grey(*levels: int) -> Frames:
    """One plain frame of 4x4 pixels for each level."""
    return np.array(levels, np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)


def _with_ball(frames: Frames, row: int, level: int) -> Frames:
    """With one pixel of another level in column 1."""
    painted = frames.copy()
    painted[:, row, 1] = level
    return painted


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_errors_do_not_wrap_around() -> None:
    """In uint8, 1 - 3 is 254, and 200 squared is 64."""
    assert mean_squared_errors(_grey(1, 200), _grey(3, 0)).tolist() == [4, 40_000]
    assert np.array_equal(squared_errors(_grey(0), _grey(255)), squared_errors(_grey(255), _grey(0)))


def test_psnr_has_the_range_of_a_frame_not_that_of_what_it_shows() -> None:
    """An error of one level is 48.1 dB in a dark frame and in a bright one."""
    for level in (0, 254):
        errors = squared_errors(_grey(level), _grey(level + 1))
        assert frame_psnr(errors)[0] == pooled_psnr(errors[0]) == pytest.approx(20 * np.log10(255))


def test_a_pixel_moves_by_more_than_two_levels_in_any_channel() -> None:
    before = np.full((1, 1, 4, 3), 100, np.uint8)
    after = before + np.array([[2, 2, 2], [0, 3, 0], [0, 0, 0], [0, 0, 0]], np.uint8)
    after[0, 0, 2, 2] = 97
    assert moving_pixels(before, after).tolist() == [[[False, True, True, False]]]


def test_a_lost_ball_is_seen_where_it_moves_and_drowned_where_it_does_not() -> None:
    """One pixel of 16 is wrong by 100 levels, and it is one of two that move: the place it left and the place it is."""
    before, now = _with_ball(_grey(50), 0, 150), _with_ball(_grey(50), 2, 150)
    lost = _grey(50)
    moving = moving_pixels(before, now)
    assert moving.sum() == 2
    assert squared_errors(lost, now).tolist() == [[3 * 100**2, 48]]
    assert squared_errors(lost, now, moving).tolist() == [[3 * 100**2, 6]]
    difference = frame_psnr(squared_errors(lost, now)) - frame_psnr(squared_errors(lost, now, moving))
    assert difference[0] == pytest.approx(10 * np.log10(8))


def test_the_mean_of_psnrs_is_not_the_psnr_of_the_mean() -> None:
    """Errors of 1 and 10 levels are 48.1 and 28.1 dB: 38.1 on average, and 31.1 pooled."""
    errors = squared_errors(_grey(101, 110), _grey(100, 100))
    assert frame_psnr(errors).mean() == pytest.approx(38.13, abs=0.005)
    pooled = estimate_of_sums(errors, pooled_psnr)
    assert pooled.value == pytest.approx(31.10, abs=0.005)
    assert (pooled.low, pooled.high) == pytest.approx((28.13, 48.13), abs=0.005)


def test_perfect_frames_are_infinitely_good_or_as_good_as_rounding() -> None:
    errors = squared_errors(_grey(7), _grey(7))
    assert pooled_psnr(errors[0]) == np.inf
    assert frame_psnr(errors)[0] == psnr(ROUNDING_MSE) == pytest.approx(58.92, abs=0.005)


def test_where_nothing_moves_there_is_no_figure() -> None:
    still = squared_errors(_grey(9), _grey(7), moving_pixels(_grey(7), _grey(7)))
    assert still.tolist() == [[0, 0]]
    assert np.isnan(frame_psnr(still)[0])
    assert np.isnan(pooled_psnr(still[0]))


def test_a_window_of_frames_has_one_error() -> None:
    assert mean_squared_errors(_grey(1, 3)[None], _grey(0, 0)[None]).tolist() == [5]


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames are float64 \[1, 4, 4, 3\] and uint8 \[1, 4, 4, 3\]; expected uint8"):
        squared_errors(_grey(1).astype(np.float64), _grey(1))
    with pytest.raises(ValueError, match=r"uint8 \[2, 4, 4, 3\] and uint8 \[1, 4, 4, 3\]; expected uint8 of one shape"):
        moving_pixels(_grey(1, 2), _grey(1))
    with pytest.raises(ValueError, match=r"pixels are \[4, 4\]; expected \[1, 4, 4\]"):
        squared_errors(_grey(1), _grey(1), np.ones((4, 4), np.bool_))


# ---- gain ------------------------------------------------------------------------------------------------------------


def test_copying_the_baseline_gains_exactly_nothing() -> None:
    real, before = _grey(10, 20, 30), _grey(13, 20, 90)
    result = gain_over_baseline(before, real, before)
    assert result.decibels.tolist() == [0, 0, 0]
    assert result.mean().value == 0


def test_gain_is_the_mean_over_windows_in_decibels() -> None:
    """Ten times and a thousand times smaller errors are 10 and 30 dB; whichever window is brighter has no more say."""
    assert gain([10, 1], [100, 1000]).tolist() == pytest.approx([10, 30])
    result = gain_over_baseline(_grey(101, 110), _grey(100, 100), _grey(110, 200))
    assert result.decibels.tolist() == pytest.approx([20, 20])


def test_perfect_prediction_and_perfect_baseline_count_as_rounding() -> None:
    assert gain([0], [1])[0] == pytest.approx(10 * np.log10(12))
    assert gain([1], [0])[0] == pytest.approx(-10 * np.log10(12))
    assert gain([1e-3], [1e-9]).tolist() == [0]


def test_windows_without_change_are_apart() -> None:
    """Where nothing happens a model can only lose: that is seen, and not mixed into the gain."""
    real, baseline = _grey(10, 20), _grey(20, 20)
    result = gain_over_baseline(_grey(11, 30), real, baseline)
    assert result.changed.tolist() == [True, False]
    assert result.mean(clusters=[3, 4]).value == pytest.approx(20)
    assert result.mean(clusters=[3, 4]).count == 1
    assert result.decibels[1] == pytest.approx(-10 * np.log10(1200))
