"""Which frames are chosen for a reconstruction."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from cyano.errors import InputError
from cyano.video import Frame
from cyano.video.selection import Rhythm, choose_frames, sharpness


def pan(count: int, step: float, blurred: set[int]) -> Iterator[Frame]:
    """A camera that pans over noise, so many pixels a frame, and shakes in some."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (300, 2000)), (0, 0), 2)
    noise = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    for number in range(count):
        grey = cv2.warpAffine(noise, np.array([[1, 0, -step * number], [0, 1, 0]]), (400, 300))
        grey = cv2.blur(grey, (9, 1)) if number in blurred else grey
        yield Frame(number, np.repeat(grey[:, :, None], 3, 2), number / 10)


def test_frames_are_sharp_and_apart() -> None:
    blurred = {number for number in range(100) if number % 3 != 0}
    chosen = list(choose_frames(pan(100, 5.0, blurred), Rhythm("motion", 0.1)))
    numbers = np.array([each.frame.index for each in chosen])
    assert not blurred & set(numbers.tolist())
    # A tenth of the diagonal of 500 pixels are 10 frames; a frame is chosen from the later half of each ten.
    assert np.diff(numbers).min() >= 5
    assert np.diff(numbers).max() <= 16
    assert len(numbers) == pytest.approx(100 / 10, abs=2)


def test_a_camera_that_stands_still_gives_one_frame() -> None:
    assert [each.frame.index for each in choose_frames(pan(30, 0.0, set()))] == [0]


def test_fast_motion_takes_every_frame() -> None:
    assert [each.frame.index for each in choose_frames(pan(10, 30.0, set()), Rhythm("motion", 0.05))] == list(range(10))


def test_groups_by_number_and_time() -> None:
    blurred = set(range(40)) - {3, 17, 22, 38}
    assert [each.frame.index for each in choose_frames(pan(40, 1.0, blurred), Rhythm("frames", 10))] == [3, 17, 22, 38]
    assert [each.frame.index for each in choose_frames(pan(40, 1.0, blurred), Rhythm("seconds", 1))] == [3, 17, 22, 38]
    with pytest.raises(InputError, match="no times"):
        list(choose_frames([Frame(0, np.zeros((9, 9, 3), np.uint8))], Rhythm("seconds", 1)))
    with pytest.raises(InputError, match="above 0"):
        Rhythm("frames", 0)


def test_sharpness_of_a_step() -> None:
    grey = np.zeros((4, 4), np.uint8)
    grey[:, 2:] = 10
    # One of three horizontal steps in each row is 10, all vertical ones are 0.
    assert sharpness(grey) == pytest.approx(100 / 3)
