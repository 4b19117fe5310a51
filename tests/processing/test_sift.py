"""SIFT as a matcher sees it: places between pixels, one orientation each, extras that turn and scale with the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from cyano.processing.sift import describe_places, detect_sift


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.ascontiguousarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[:300, :400].astype(np.float32) / 255)


def test_the_strongest_come_first_one_at_each_place_and_scale(photograph: np.ndarray) -> None:
    found, some = detect_sift(photograph), detect_sift(photograph, 50)
    count = len(found.keypoints)
    places = torch.cat([found.keypoints, found.extras[:, :1]], dim=1)
    assert len(torch.unique(places, dim=0)) == count > 300
    assert (found.scores.diff() <= 0).all()
    assert all(torch.equal(part[:50], first) for part, first in zip(found, some, strict=True))
    assert (found.descriptors >= 0).all()
    for rows in (found.descriptors, found.extras[:, 1:]):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(count))


def nearest(points: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each point the other one within half a pixel: indices of both."""
    distances, partner = torch.cdist(points, others).min(1)
    near = torch.nonzero(distances < 0.5)[:, 0]
    return near, partner[near]


def test_a_turned_image_has_the_same_keypoints_turned(photograph: np.ndarray) -> None:
    """The strongest orientation of a place is the same one, whichever way the image is turned."""
    upright, turned = detect_sift(photograph), detect_sift(np.ascontiguousarray(np.rot90(photograph)))
    moved = torch.stack([upright.keypoints[:, 1], 399 - upright.keypoints[:, 0]], dim=1)
    rows, partners = nearest(moved, turned.keypoints)
    assert len(rows) > 0.9 * len(moved)
    # The offset of OpenCV's own enlargement would be a quarter of a pixel on either axis.
    assert float((turned.keypoints[partners] - moved[rows]).mean(0).abs().max()) < 0.02
    cosines = (upright.descriptors[rows] * turned.descriptors[partners]).sum(1)
    assert float((cosines > 0.95).float().mean()) > 0.97
    (_, c0, s0), (_, c1, s1) = upright.extras[rows].T, turned.extras[partners].T
    # A quarter turn counter-clockwise takes 90 degrees from an angle that grows clockwise: (c, s) -> (s, -c).
    assert float(((c1 * s0 - s1 * c0) > 0.98).float().mean()) > 0.97


def test_a_blob_twice_as_large_has_a_scale_twice_as_large() -> None:
    y, x = np.mgrid[:200, :200]
    scales = []
    for sigma in (6.0, 12.0):
        blob = np.exp(-((x - 100.3) ** 2 + (y - 99.6) ** 2) / (2 * sigma**2)).astype(np.float32)
        best = detect_sift(blob, 1)
        # The extremum of a smooth blob is interpolated to a hundredth of a pixel or so of its octave.
        torch.testing.assert_close(best.keypoints, torch.tensor([[100.3, 99.6]]), atol=0.1, rtol=0)
        scales.append(float(best.extras[0, 0]))
    assert scales[1] - scales[0] == pytest.approx(np.log(2), abs=0.05)


def test_places_are_described_as_keypoints_are(photograph: np.ndarray) -> None:
    found = detect_sift(photograph)
    small = torch.nonzero(found.extras[:, 0].abs() < 0.1)[:30, 0]  # of the scale that places get
    angles = torch.rad2deg(torch.atan2(found.extras[small, 2], found.extras[small, 1])) % 360
    again = describe_places(photograph, found.keypoints[small].numpy(), angles.numpy())
    torch.testing.assert_close(again.keypoints, found.keypoints[small])
    torch.testing.assert_close(again.extras[:, 1:], found.extras[small, 1:], atol=1e-5, rtol=0)
    assert float((again.descriptors * found.descriptors[small]).sum(1).min()) > 0.95


def test_without_any_texture() -> None:
    flat = np.full((60, 80), 0.5, np.float32)
    found = detect_sift(flat)
    assert [part.shape for part in found] == [(0, 2), (0,), (0, 128), (0, 3)]
    assert {part.dtype for part in found} == {torch.float32}
    none = describe_places(flat, np.zeros((0, 2), np.float32), np.zeros(0, np.float32))
    assert [part.shape for part in none] == [part.shape for part in found]
    place = describe_places(flat, np.float32([[40, 30]]), np.float32([0]))
    torch.testing.assert_close(place.descriptors, torch.full((1, 128), 128**-0.5))
