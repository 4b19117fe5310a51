from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import ImageError, InputError
from cyano.geometry import warp_image, warp_points
from cyano.types import ImageSize
from support.scenes import smooth_image

SIZE = ImageSize(90, 120)


def translation(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


@pytest.mark.parametrize("grey", [False, True])
def test_whole_pixels_shift_the_picture_exactly(grey: bool) -> None:
    image = smooth_image(SIZE, grey=grey)
    warped, mask = warp_image(image, translation(5, -3), SIZE)  # (x, y) of image 0 is at (x + 5, y - 3)
    assert warped.shape == image.shape
    assert warped.dtype == np.uint8
    assert (warped[3:, :-5] == image[:-3, 5:]).all()
    expected = np.zeros((90, 120), bool)
    expected[3:, :-5] = True
    assert (mask == expected).all()
    assert (warped[~expected] == 0).all()


def test_the_identity_keeps_every_pixel_up_to_the_border() -> None:
    image = smooth_image(SIZE)
    warped, mask = warp_image(image, np.eye(3), SIZE)
    assert (warped == image).all()
    assert mask.all()


def test_agrees_with_a_slow_bilinear_twin() -> None:
    H = np.array([[0.9, 0.1, 8.0], [-0.08, 1.05, 6.0], [5e-4, -3e-4, 1.0]])
    image = smooth_image(SIZE, grey=True)
    warped, mask = warp_image(image, H, ImageSize(40, 50))
    for y in range(40):
        for x in range(50):
            u, v = warp_points(H, [[float(x), float(y)]])[0]
            if 0 <= u < SIZE.width - 1 and 0 <= v < SIZE.height - 1:
                left, top = int(u), int(v)
                a, b = u - left, v - top
                patch = image[top : top + 2, left : left + 2].astype(float)
                value = np.array([1 - b, b]) @ patch @ np.array([1 - a, a])
                # one grey level of rounding, and one for OpenCV's weights in steps of 1/32 pixel
                assert abs(warped[y, x] - value) <= 2
                assert mask[y, x]


def test_there_and_back_is_the_picture_again() -> None:
    H = np.array([[0.95, 0.05, 4.0], [-0.04, 1.02, 3.0], [2e-4, -1e-4, 1.0]])
    image = smooth_image(SIZE)
    there, mask_there = warp_image(image, H, SIZE)
    back, mask_back = warp_image(there, np.linalg.inv(H), SIZE)
    known, _ = warp_image(mask_there.astype(np.uint8) * 255, np.linalg.inv(H), SIZE)
    inside = mask_back & (known == 255)
    assert inside.mean() > 0.7
    # Twice interpolated: the waves' curvature costs below 1 level, rounding 1, the 1/32 px steps 2.
    assert np.abs(back.astype(int) - image)[inside].max() <= 4


def test_half_a_pixel_at_the_border_belongs_to_the_picture_and_does_not_darken() -> None:
    image = np.full((10, 10), 200, np.uint8)
    warped, mask = warp_image(image, translation(0.4, 0.0), ImageSize(10, 10))
    assert mask.all()
    assert (warped == 200).all()
    assert not warp_image(image, translation(0.6, 0.0), ImageSize(10, 10))[1][:, -1].any()


@pytest.mark.parametrize("scale", [1.0, -2.0], ids=["H", "-2 H"])
def test_nothing_shows_beyond_the_horizon(scale: float) -> None:
    tilt = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 40, 0, 1]])  # the horizon is the column x = 40
    H = scale * translation(60, 45) @ tilt @ translation(0, -45)
    u, v = warp_points(H, [[199.0, 45.0]])[0]
    assert u > 5  # the trap: a place beyond the horizon that the formula sends into image 1
    assert v == pytest.approx(45)
    _, mask = warp_image(smooth_image(SIZE), H, ImageSize(90, 200))
    assert mask[45, :20].all()
    assert not mask[:, 40:].any()


def test_a_mirrored_picture_registers() -> None:
    image = smooth_image(SIZE)
    warped, mask = warp_image(image, np.array([[-1.0, 0, 119], [0, 1, 0], [0, 0, 1]]), SIZE)
    assert mask.all()
    assert (warped == image[:, ::-1]).all()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.float32),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10), np.uint8),
        np.zeros((1, 40_000), np.uint8),
    ],
    ids=["float", "four channels", "empty", "too wide"],
)
def test_unusable_images_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ImageError):
        warp_image(image, np.eye(3), SIZE)


@pytest.mark.parametrize("H", [np.full((3, 3), np.nan), np.zeros((3, 3))])
def test_unusable_homographies_are_refused(H: np.ndarray) -> None:
    with pytest.raises(InputError):
        warp_image(smooth_image(SIZE), H, SIZE)


def test_the_image_and_the_homography_stay_as_they_were() -> None:
    image, H = smooth_image(SIZE), translation(3, 3)
    copies = image.copy(), H.copy()
    warp_image(image, H, SIZE)
    assert (image == copies[0]).all()
    assert (copies[1] == H).all()
