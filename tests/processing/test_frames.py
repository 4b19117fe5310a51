"""Constant frames, against pictures that are drawn with a frame of known pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cyano.models.superpoint import SuperPointConfig
from cyano.processing.frames import MARGIN_PX, constant_frame, near_frame
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import pick_keypoints

HEIGHT, WIDTH = 240, 320
ALL = (6, 9, 12, 5)
"""Pixels of a frame at the top, at the bottom, on the left and on the right."""

Picture = NDArray[np.float32]


def _content(seed: int = 0) -> Picture:
    """Blobs between 0.25 and 0.85, as no frame is."""
    soft = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH)), (0, 0), 3)
    return np.asarray(0.55 + 0.3 * np.tanh(soft / soft.std()), np.float32)


def _bars(top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
    frame = np.ones((HEIGHT, WIDTH), dtype=np.bool_)
    frame[top : HEIGHT - bottom, left : WIDTH - right] = False
    return frame


def _framed(frame: NDArray[np.bool_], colour: float, content: Picture | None = None) -> Picture:
    picture = _content() if content is None else content
    return np.where(frame, np.float32(colour), picture)


@pytest.mark.parametrize("colour", [0.0, 0.06, 0.5, 1.0])
@pytest.mark.parametrize("sides", [ALL, (20, 20, 0, 0), (0, 0, 60, 60), (15, 0, 0, 0), (0, 0, 0, 3)])
def test_straight_borders_of_all_sides_and_colours(sides: tuple[int, int, int, int], colour: float) -> None:
    frame = _bars(*sides)
    # Grey blobs may begin with the frame's grey: content that differs from it everywhere lies on one side of it.
    content = 0.8 + 0.3 * (_content() - 0.55) if colour == 0.5 else _content()
    picture = _framed(frame, colour, np.asarray(content, np.float32))
    found = constant_frame(picture)
    assert np.array_equal(found, frame)


def test_the_margin_is_16_pixels_from_the_inner_edge() -> None:
    near = near_frame(_framed(_bars(10, 0, 0, 20), 0.0))
    expected = _bars(10 + MARGIN_PX, 0, 0, 20 + MARGIN_PX)
    assert np.array_equal(near, expected)


@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_ripples_of_a_jpeg_file_in_the_border(colour: float) -> None:
    frame = _bars(*ALL)
    bytes_ = np.rint(255 * _framed(frame, colour)).astype(np.uint8)
    decoded = cv2.imdecode(cv2.imencode(".jpg", bytes_, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    assert np.asarray(decoded)[frame].std() > 1  # there are ripples
    found = constant_frame(decoded.astype(np.float32) / 255)
    # A ripple beside a bright blob may be taken for the picture, and its first pixel for the frame.
    assert (found == frame).mean() > 0.99
    assert (near_frame(decoded.astype(np.float32) / 255) >= frame).all()


@pytest.mark.parametrize("bend", [-0.12, -0.05, 0.05, 0.12])
def test_curved_borders_of_undistorted_pictures(bend: float) -> None:
    """r' = r (1 + bend r^2): a positive bend pulls corners in from beyond, a negative one makes sides bulge."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    u, v = (x - WIDTH / 2) / (WIDTH / 2), (y - HEIGHT / 2) / (WIDTH / 2)
    zoom = 1.06 - min(0, bend) * 0.6
    scale = zoom * (1 + bend * (u * u + v * v))
    mapped_x, mapped_y = u * scale * WIDTH / 2 + WIDTH / 2, v * scale * WIDTH / 2 + HEIGHT / 2
    frame = (mapped_x < 0) | (mapped_y < 0) | (mapped_x > WIDTH - 1) | (mapped_y > HEIGHT - 1)
    picture = cv2.remap(_content(), mapped_x, mapped_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    assert 0.02 < frame.mean() < 0.4
    found = constant_frame(picture)
    # Interpolation spreads the edge over a pixel, and a polynomial follows it to a pixel.
    distance = cv2.distanceTransform((~frame).astype(np.uint8), cv2.DIST_L2, 5)
    assert distance[found].max() <= 3
    inside = cv2.erode(frame.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.bool_)
    assert found[inside].mean() > 0.97


def test_black_corners_of_a_hard_vignette() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frame = np.hypot(x - WIDTH / 2, y - HEIGHT / 2) > 170
    found = constant_frame(_framed(frame, 0.0))
    assert found[frame].mean() > 0.9
    assert (found & ~frame).sum() < 0.01 * frame.sum()


def test_dark_parts_of_the_picture_beside_a_black_frame_are_picture() -> None:
    content = _content()
    content[:100, 120:170] = 0.02
    frame = _bars(*ALL)
    assert np.array_equal(constant_frame(_framed(frame, 0.0, content)), frame)


def _skyline() -> Picture:
    """A blown-out sky over roofs: constant to the border, with an edge like no frame's."""
    rng = np.random.default_rng(1)
    heights = np.repeat(rng.integers(30, 90, WIDTH // 20), 20)
    return np.where(np.arange(HEIGHT)[:, None] < heights, np.float32(1), _content())


def _gable() -> Picture:
    """The same over one roof, whose two lines are straight."""
    return np.where(np.arange(HEIGHT)[:, None] < 20 + 0.3 * np.arange(WIDTH), np.float32(1), _content())


def _evening() -> Picture:
    """A sky that grows brighter downwards, with nothing before it."""
    return np.repeat(np.linspace(0.05, 0.9, HEIGHT, dtype=np.float32)[:, None], WIDTH, axis=1)


def _wall() -> Picture:
    """A white wall that leaves the picture at the top and on the left."""
    picture = _content()
    cv2.ellipse(picture, (40, 40), (180, 110), 20, 0, 360, 1.0, -1)
    return picture


def _disc() -> Picture:
    """A thing on a white table."""
    picture = np.ones((HEIGHT, WIDTH), np.float32)
    inside = np.hypot(*np.mgrid[-HEIGHT // 2 : HEIGHT // 2, -WIDTH // 2 : WIDTH // 2]) < 90
    return np.where(inside, _content(), picture)


@pytest.mark.parametrize("picture", [_content, _skyline, _gable, _evening, _wall, _disc])
def test_what_only_looks_plain_is_no_frame(picture) -> None:
    assert not near_frame(picture()).any()


@pytest.mark.parametrize("colour", [0.0, 0.3, 1.0])
def test_a_constant_picture_has_no_frame(colour: float) -> None:
    assert not constant_frame(np.full((HEIGHT, WIDTH), colour, np.float32)).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 30), (30, 2), (16, 16)])
def test_small_pictures(size: tuple[int, int]) -> None:
    assert near_frame(np.zeros(size, np.float32)).shape == size
    assert constant_frame(np.random.default_rng(0).uniform(0, 1, size).astype(np.float32)).shape == size


def test_ragged_edges_of_tiny_pictures_fit_no_curve() -> None:
    """A curve through as few columns as it has coefficients says nothing, and fitting it made numpy warn."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        height, width = rng.integers(8, 40, 2)
        picture, depths = rng.random((height, width)), rng.integers(0, 5, width)
        rows = np.arange(height)[:, None]
        picture[(rows < depths) | (rows >= height - depths)] = 0
        assert constant_frame(picture).shape == (height, width)


def test_keypoints_of_structure_keep_away_from_frames_and_others_do_not() -> None:
    frame = _bars(10, 10, 10, 10)
    picture = torch.from_numpy(_framed(frame, 0.0))[None, None]
    probabilities = torch.full((1, HEIGHT, WIDTH), 0.01)
    maps = keypoint_maps(probabilities, picture, SuperPointConfig(keypoint_localisation="structure"))
    keypoints, _ = pick_keypoints(maps.scores[0], 1e-6)
    lowest, highest = 10 + MARGIN_PX, torch.tensor([WIDTH, HEIGHT]) - 1 - 10 - MARGIN_PX
    assert len(keypoints) > 50
    assert (keypoints >= lowest).all()
    assert (keypoints <= highest).all()
    others = keypoint_maps(probabilities, picture, SuperPointConfig())
    assert (others.scores[0, 15:20] > 0).any()


@pytest.mark.parametrize("margin", [1, 2, 5, MARGIN_PX])
def test_the_margin_is_a_square(margin: int) -> None:
    """The oracle is OpenCV's dilation."""
    picture = _framed(_bars(*ALL), 0.0)
    frame = constant_frame(picture)
    assert frame.any()
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    assert np.array_equal(near_frame(picture, margin), cv2.dilate(frame.astype(np.uint8), kernel).astype(bool))
    assert np.array_equal(near_frame(picture, 0), frame)
