"""The sums in numpy that replace OpenCV's, against OpenCV's and against their definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.processing import resampling
from cyano.processing.images import read
from cyano.processing.resize import ResizeRule, apply

ROUNDING = 5e-7
"""A few roundings of float32 numbers up to one: up to a dozen products are summed along each axis."""


@pytest.fixture
def without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "cv2", None)


def _noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def _assert_as_opencv(
    resized: Callable[..., np.ndarray], old: tuple[int, int], new: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grey and coloured images of float32 come out as OpenCV makes them."""
    for pixels in (_noise(*old), _noise(*old, 3)):
        expected = resized(pixels, *new)
        with monkeypatch.context() as patch:
            patch.setattr(resampling, "cv2", None)
            found = resized(pixels, *new)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((480, 640), (240, 320)),
        ((481, 643), (333, 441)),
        ((1201, 1603), (479, 640)),
        ((37, 53), (37, 31)),  # one axis alone
        ((37, 53), (11, 53)),
        ((700, 2999), (699, 2998)),  # slivers of less than a thousandth of a pixel
        ((533, 799), (17, 19)),
    ],
)
def test_averages_are_those_of_opencv(
    old: tuple[int, int], new: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_as_opencv(resampling.averaged, old, new, monkeypatch)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((240, 320), (480, 640)),
        ((333, 441), (481, 643)),
        ((37, 53), (37, 77)),
        ((37, 53), (91, 53)),
        ((480, 641), (1201, 1603)),
        ((699, 2998), (700, 2999)),
        ((17, 19), (533, 799)),
    ],
)
def test_interpolation_is_that_of_opencv(
    old: tuple[int, int], new: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_as_opencv(resampling.interpolated, old, new, monkeypatch)


def test_pictures_of_eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's 8-bit sums are of whole numbers, which may round the other way."""
    pixels = (_noise(131, 177, 3) * 255).astype(np.uint8)
    smaller, larger = resampling.averaged(pixels, 60, 91), resampling.interpolated(pixels, 200, 301)
    monkeypatch.setattr(resampling, "cv2", None)
    for found, expected in (
        (resampling.averaged(pixels, 60, 91), smaller),
        (resampling.interpolated(pixels, 200, 301), larger),
    ):
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.usefixtures("without_opencv")
def test_whole_numbers_of_pixels_are_means_of_blocks() -> None:
    pixels = _noise(60, 84)
    means = pixels.reshape(20, 3, 12, 7).mean(axis=(1, 3))
    np.testing.assert_allclose(resampling.averaged(pixels, 20, 12), means, atol=ROUNDING)


@pytest.mark.usefixtures("without_opencv")
def test_a_slope_stays_a_slope() -> None:
    """Centres of pixels map to centres: half a pixel wrong would be half a step."""
    slope = np.add.outer(np.arange(40) / 100, np.arange(50) / 200).astype(np.float32)
    rows, columns = ((np.arange(count) + 0.5) * old / count - 0.5 for count, old in ((64, 40), (75, 50)))
    expected = np.add.outer(rows.clip(0, 39) / 100, columns.clip(0, 49) / 200)
    np.testing.assert_allclose(resampling.interpolated(slope, 64, 75), expected, atol=ROUNDING)


@pytest.mark.parametrize("size", [(113, 151), (277, 369), (120, 480), (300, 100), (240, 320)])
def test_what_the_networks_see_is_the_same(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = read(_noise(240, 320))
    expected, frame = apply(image, ResizeRule.exact(*size), 1)
    monkeypatch.setattr(resampling, "cv2", None)
    found, same_frame = apply(image, ResizeRule.exact(*size), 1)
    assert frame == same_frame
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0)
    np.testing.assert_array_equal(image.grey, _noise(240, 320))  # not modified
