"""Warped views and photometric changes of photographs."""

import cv2
import numpy as np
import pytest

from cyano.geometry.transforms import warp_points
from cyano.synthesis import photometric
from cyano.synthesis.homographies import WarpRange, _tilted, random_view, warp_view
from cyano.synthesis.photometric import photometric_change
from cyano.types import ImageSize

SIZE = ImageSize(96, 128)


def photograph() -> np.ndarray:
    rng = np.random.default_rng(0)
    return cv2.GaussianBlur(rng.uniform(0, 1, (300, 400)).astype(np.float32), (0, 0), 6)


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.5])
def test_a_view_shows_the_photograph_where_its_homography_says(scale: float) -> None:
    image = photograph()
    middle = np.array([200.0, 150.0])
    H = random_view(ImageSize(300, 400), SIZE, middle, np.random.default_rng(3), WarpRange(scale=(scale, scale)))
    view = warp_view(image, H, SIZE)
    y, x = np.mgrid[4:92:5, 4:124:5].reshape(2, -1)
    source = warp_points(np.linalg.inv(H), np.stack([x, y], axis=1)).astype(np.float32)
    expected = cv2.remap(image, source[:, 0], source[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).ravel()
    seen = view.valid[y, x]
    assert seen.mean() > 0.5
    # The photograph is smooth over 6 px: half a pixel of error would show as more than 0.01.
    assert np.median(np.abs(view.image[y, x] - expected)[seen]) < 0.003


def test_views_are_centred_turned_and_scaled_as_asked() -> None:
    still = WarpRange(scale=(1, 1), rotation=0, any_rotation=0, perspective=0, stretch=0, shift=0)
    H = random_view(ImageSize(300, 400), SIZE, np.array([200.0, 150.0]), np.random.default_rng(0), still)
    assert np.allclose(warp_points(H, [[200.0, 150.0]]), [[63.5, 47.5]], atol=1e-4)  # float32 corners inside OpenCV
    assert np.allclose(H[:2, :2], np.eye(2), atol=1e-5)


def test_a_tilted_plane_is_foreshortened_by_the_cosine_at_the_centre() -> None:
    corners = np.array([[-1.0, -1.0], [1, -1], [1, 1], [-1, 1]]) * 50
    for tilt in (30.0, 60.0):
        quad = _tilted(corners, np.radians(tilt), 0.0)
        H = cv2.getPerspectiveTransform(quad.astype(np.float32), corners.astype(np.float32))
        # The Jacobian of plane to view at the origin: 1 along the axis, cos(tilt) across, both over the common scale.
        step = 1e-2 * np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
        moved = warp_points(H.astype(np.float64), step)
        along, across = (moved[0] - moved[1]) / 2e-2, (moved[2] - moved[3]) / 2e-2
        assert np.allclose(warp_points(H.astype(np.float64), [[0.0, 0.0]]), 0, atol=1e-3)
        assert np.linalg.norm(along) / np.linalg.norm(across) == pytest.approx(np.cos(np.radians(tilt)), rel=1e-3)
        assert np.linalg.norm(along) * np.linalg.norm(across) == pytest.approx(1, rel=1e-3)
    assert np.allclose(_tilted(corners, 0.0, 0.7), corners)


def test_a_view_may_reach_beyond_the_photograph_when_asked() -> None:
    source = ImageSize(96, 128)
    scales = {}
    for reach in (1.1, 2.0):
        limits = WarpRange(scale=(1.9, 2.0), rotation=0, any_rotation=0, perspective=0, stretch=0, reach=reach)
        H = random_view(source, SIZE, np.array([63.5, 47.5]), np.random.default_rng(0), limits)
        scales[reach] = 1 / H[0, 0]
    assert scales[1.1] == pytest.approx(1.1, rel=0.2)
    assert 1.9 <= scales[2.0] <= 2.0


def test_what_lies_beyond_the_photograph_is_not_valid() -> None:
    H = np.array([[1, 0, 60.0], [0, 1, 0], [0, 0, 1]])
    view = warp_view(photograph(), H, SIZE)
    assert not view.valid[:, :60].any()
    assert view.valid[:, 60:].all()


@pytest.mark.parametrize("seed", range(20))
def test_photometric_changes_stay_in_range(seed: int) -> None:
    changed = photometric_change(photograph(), np.random.default_rng(seed))
    assert changed.shape == (300, 400)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1


@pytest.mark.parametrize("seed", range(10))
def test_blur_moves_no_point(seed: int) -> None:
    dot = np.zeros((31, 41), np.float32)
    dot[15, 20] = 1
    blurred = photometric._blur(dot, np.random.default_rng(seed), 1.0)
    y, x = np.mgrid[:31, :41]
    # Moments of a symmetric kernel are exact but for float32 sums of about a hundred terms.
    assert float((blurred * x).sum() / blurred.sum()) == pytest.approx(20, abs=1e-4)
    assert float((blurred * y).sum() / blurred.sum()) == pytest.approx(15, abs=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_shadows_darken_a_part(seed: int) -> None:
    image = np.full((60, 80), 0.5, np.float32)
    share = photometric._shadow(image, np.random.default_rng(seed), 1.0) / image
    assert share.max() <= 1
    assert 0.25 < share.min() < 0.85
    assert (share < 0.999).mean() > 0.01


def test_no_strength_is_no_change() -> None:
    image = photograph()
    assert photometric_change(image, np.random.default_rng(0), 0) is image
