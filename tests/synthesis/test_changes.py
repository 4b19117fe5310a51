"""Each change does what it says, and no more: measured in its pictures, against closed forms."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cyano.geometry import warp_points
from cyano.synthesis.changes import CHANGES, Change, change_homography, changed

NAMED = {change.name: change for change in CHANGES}
GEOMETRIC = [change for change in CHANGES if change.moves_points and not change.blur and not change.motion]


def flat(level: float) -> NDArray[np.uint8]:
    return np.full((240, 320, 3), round(255 * level), np.uint8)


def spread(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centroid and the covariance of the light in a picture."""
    light = picture[:, :, 0].astype(float)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    points, weights = np.stack([x.ravel(), y.ravel()]), light.ravel() / light.sum()
    centre = points @ weights
    return centre, np.cov(points, aweights=weights, ddof=0)


@pytest.mark.parametrize("change", GEOMETRIC, ids=lambda change: change.name)
def test_the_homography_maps_known_points(change: Change) -> None:
    """A dot is where its middle is mapped to: to a tenth of a pixel, since a tilt makes it a little lopsided."""
    only_moved = Change(change.name, change.tilt, change.turn, change.scale)
    for place in ((200, 180), (130, 90), (160, 120)):
        photograph = np.zeros((240, 320, 3), np.uint8)
        cv2.circle(photograph, place, 6, (255, 255, 255), -1)
        picture, H = changed(photograph, only_moved)
        # What lies beyond the photograph has a little of its light: at most a hundredth of the dot's.
        centre, _ = spread(np.where(picture > 20, picture, 0))
        np.testing.assert_allclose(centre, warp_points(H, np.array([place], float))[0], atol=0.1)


def jacobian(H: NDArray[np.float64], point: tuple[float, float]) -> NDArray[np.float64]:
    steps = np.array([[1e-4, 0], [0, 1e-4]])
    return ((warp_points(H, point + steps) - warp_points(H, point - steps)) / 2e-4).T


@pytest.mark.parametrize(("change", "axis"), [(NAMED["tilt 45"], 0.0), (NAMED["tilt 62"], 1.1)])
def test_a_tilt_foreshortens_by_its_cosine_across_its_axis(change: Change, axis: float) -> None:
    H = change_homography(change, 640, 480, axis, 1)
    middle = (319.5, 239.5)
    np.testing.assert_allclose(warp_points(H, [middle]), [middle], atol=1e-9)
    along, across = np.array([np.cos(axis), np.sin(axis)]), np.array([-np.sin(axis), np.cos(axis)])
    moved = jacobian(H, middle)
    np.testing.assert_allclose(moved @ along, along, atol=1e-6)
    np.testing.assert_allclose(moved @ across, np.cos(np.radians(change.tilt)) * across, atol=1e-6)
    # At the distance of the longest side a point nearer by 320 sin(tilt) is so much larger.
    if axis == 0:
        lower, upper = (np.linalg.det(jacobian(H, (319.5, y))) for y in (0, 479))
        near = 640 / (640 - 239.5 * np.sin(np.radians(45)))
        assert max(lower, upper) == pytest.approx(np.cos(np.radians(45)) * near**3, rel=1e-4)


def test_turns_and_scales() -> None:
    for sign in (1, -1):
        turned = jacobian(change_homography(NAMED["turn 35"], 640, 480, 0, sign), (100, 50))
        c, s = np.cos(np.radians(35)), np.sin(np.radians(35)) * sign
        np.testing.assert_allclose(turned, [[c, -s], [s, c]], atol=1e-6)
    third = change_homography(NAMED["scale 1/3"], 640, 480, 0, 1)
    np.testing.assert_allclose(warp_points(third, [(319.5, 239.5), (619.5, 239.5)]), [(319.5, 239.5), (419.5, 239.5)])


def test_a_quarter_turn_is_that_of_the_array() -> None:
    square = np.ascontiguousarray(data.astronaut())
    picture, H = changed(square, NAMED["turn 90"])
    turns = 3 if H[1, 0] > 0.5 else 1  # numpy's are counter-clockwise; y points down
    # Each pixel is the mean of samples in its area, which smooths a little; a pixel off, the mean would be about 10.
    difference = np.abs(picture.astype(int) - np.rot90(square, turns))[2:-2, 2:-2]
    assert difference.mean() < 1


@pytest.mark.parametrize("sigma", [2.0, 3.5])
def test_the_blur_of_an_edge(sigma: float) -> None:
    """The derivative of a blurred edge is the blur."""
    edge = flat(0.1)
    edge[:, 160:] = 230
    picture, H = changed(edge, NAMED[f"blur {sigma:g}"])
    np.testing.assert_array_equal(H, np.eye(3))
    slope = np.diff(picture[120, :, 1].astype(float))
    x = np.arange(len(slope)) + 0.5
    middle = (slope * x).sum() / slope.sum()
    assert middle == pytest.approx(159.5, abs=0.02)
    assert np.sqrt((slope * (x - middle) ** 2).sum() / slope.sum()) == pytest.approx(sigma, rel=0.03)  # 8 bits


def test_the_motion_of_a_dot() -> None:
    """An even path of length L has the variance L^2 / 12 along it; both lengths go the same way about the dot."""
    dot = flat(0)
    dot[118:123, 158:163] = 255
    axes = []
    for length in (13, 25):
        picture, _ = changed(dot, NAMED[f"motion {length}"])
        centre, covariance = spread(picture)
        np.testing.assert_allclose(centre, (160, 120), atol=0.05)
        across, along = np.linalg.eigvalsh(covariance)
        own = (5**2 - 1) / 12 + 1 / 6  # of the dot, and of points between pixels shared among these
        assert along == pytest.approx(length**2 / 12 + own, rel=0.03)  # 8 bits
        assert across == pytest.approx(own, abs=0.15)
        axes.append(np.linalg.eigh(covariance)[1][:, 1])
    assert abs(axes[0] @ axes[1]) > np.cos(np.radians(1))


def test_directions_are_several() -> None:
    photographs = [flat(level) for level in (0.1, 0.3, 0.5, 0.7)]
    moved = [changed(photograph, NAMED["tilt 45"])[1] for photograph in photographs]
    assert len({np.round(H, 3).tobytes() for H in moved}) == len(photographs)


def test_light_and_noise() -> None:
    photograph = np.ascontiguousarray(data.astronaut())
    before = photograph / 255
    dark = changed(photograph, Change("gain", gain=0.12))[0] / 255
    np.testing.assert_allclose(dark, 0.12 * before, atol=0.5 / 255 + 1e-6)
    weak = changed(photograph, NAMED["contrast 1/4"])[0] / 255
    np.testing.assert_allclose(weak, before.mean() + (before - before.mean()) / 4, atol=0.5 / 255 + 1e-6)
    noise = changed(flat(0.5), NAMED["noise"])[0].astype(float)
    assert noise[:, :, 0].std() == pytest.approx(0.06 * 255, rel=0.02)  # of 76,800 pixels
    np.testing.assert_array_equal(noise[:, :, 0], noise[:, :, 2])


def test_jpeg_is_what_another_program_writes() -> None:
    photograph = np.ascontiguousarray(data.coffee())
    buffer = io.BytesIO()
    Image.fromarray(photograph).save(buffer, "JPEG", quality=10)
    expected = np.asarray(Image.open(buffer)).astype(int)
    picture = changed(photograph, NAMED["JPEG 10"])[0]
    assert np.abs(picture - expected).mean() < 1
    assert np.abs(picture - photograph.astype(int)).mean() > 3


def test_equal_seeds_give_equal_pixels_and_others_do_not() -> None:
    photograph = np.ascontiguousarray(data.coffee()[:240, :320])
    for name in ("noise", "tilt 45, motion 13"):
        first, again, other = (changed(photograph, NAMED[name], seed)[0] for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_names_are_distinct() -> None:
    assert len(NAMED) == len(CHANGES)
