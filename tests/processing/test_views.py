"""Views of an image: where its pixels go, and that each is the mean of its area."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cyano.processing.views import View, affine_view, compression

SHEARED = np.array([[0.35, 0.2], [-0.15, 0.6]])
MAPS = {
    "as it is": np.eye(2),
    "across": compression(4, 0),
    "down": compression(4, np.pi / 2),
    "aslant": compression(6, np.pi / 6),
    "sheared": SHEARED,
    "reduced": np.eye(2) / 4,
    "turned and enlarged": np.array([[0.9, -1.1], [1.1, 0.9]]),
}


def _picture(height: int = 240, width: int = 320) -> NDArray[np.float32]:
    """Noise of waves of some ten pixels."""
    noise = np.random.default_rng(0).random((height, width), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth), dtype=np.float32)


def _means(picture: NDArray[np.float32], view: View, samples: int = 12) -> NDArray[np.float64]:
    """Each pixel of a view as the mean of many places of its square, looked up one by one."""
    height, width = view.grey.shape
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    total = np.zeros((height, width))
    y, x = np.mgrid[:height, :width].astype(np.float64)
    for down in offsets:
        for across in offsets:
            places = view.to_image(np.stack([x + across, y + down], axis=-1).reshape(-1, 2)).reshape(height, width, 2)
            columns, rows = (np.ascontiguousarray(places[..., axis], np.float32) for axis in (0, 1))
            total += cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return total / samples**2


@pytest.mark.parametrize("name", MAPS)
def test_each_pixel_is_the_mean_of_its_area(name: str) -> None:
    picture = _picture()
    view = affine_view(picture, MAPS[name], longest=10**6)
    assert view.grey.dtype == np.float32
    differ = np.abs(view.grey - _means(picture, view))[view.keep]
    # The picture, of a deviation of 0.13, is interpolated twice, and its areas are turned with the image.
    assert differ.mean() < 0.01
    assert differ.max() < 0.08


def test_nothing_aliases() -> None:
    """Stripes finer than a view's pixels become grey."""
    stripes = np.tile(np.float32([0, 0, 1, 1]), (200, 100))
    view = affine_view(stripes, compression(6, 0), 640)
    assert np.abs(view.grey[view.keep] - 0.5).max() < 0.2
    across = affine_view(stripes, compression(6, np.pi / 2), 640)  # along the stripes: they stay
    assert across.grey[across.keep].std() > 0.4


@pytest.mark.parametrize("name", MAPS)
def test_points_go_where_the_picture_goes(name: str) -> None:
    across, down = (np.arange(side, dtype=np.float32) - place for side, place in ((300, 152), (200, 84)))
    dot = np.exp(-(across**2 + down[:, None] ** 2) / (2 * 8**2)).astype(np.float32)
    view = affine_view(dot, MAPS[name], 640)
    rows, columns = np.mgrid[: view.grey.shape[0], : view.grey.shape[1]]
    centre = np.array([[(view.grey * columns).sum(), (view.grey * rows).sum()]]) / view.grey.sum()
    assert np.abs(view.to_image(centre) - (152, 84)).max() < 0.02
    there = torch.tensor(centre, dtype=torch.float32)
    np.testing.assert_allclose(view.to_image(there).numpy(), view.to_image(centre), atol=1e-3)


def test_views_are_no_larger_than_asked() -> None:
    picture = _picture()
    for linear in (compression(4, 0), np.eye(2) * 3, SHEARED):
        view = affine_view(picture, linear, longest=100)
        assert max(view.grey.shape) in (100, 101)
        assert np.abs(view.grey - _means(picture, view))[view.keep].mean() < 0.01
    assert affine_view(picture, np.eye(2), longest=320).grey is picture


def test_keypoints_are_wanted_where_the_picture_shows_and_its_mask_says() -> None:
    picture = _picture()
    keep = np.ones(picture.shape, bool)
    keep[:, :160] = False
    view = affine_view(picture, compression(4, np.pi / 4), 640, keep)
    y, x = np.nonzero(view.keep)
    places = view.to_image(np.stack([x, y], axis=1).astype(np.float64))
    half = 160 * 240 / 4  # in pixels of the view, less its margins
    assert 0.6 * half < view.keep.sum() < half
    assert places[:, 0].min() > 160
    assert places[:, 0].max() < 320
    assert places[:, 1].min() > 0
    assert places[:, 1].max() < 240


def test_tiny_pictures_have_views() -> None:
    view = affine_view(_picture(16, 17), compression(6, 0.3), 640)
    assert min(view.grey.shape) == 16
    assert view.keep.shape == view.grey.shape
    assert np.isfinite(view.grey).all()
