"""Arrays, lists and tensors are taken alike by all of the geometry, and what is none of them gives one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cyano import geometry
from cyano.errors import InputError
from cyano.geometry import Camera, RobustOptions
from cyano.types import ImageSize

SIZE = ImageSize(60, 80)
CAMERA = Camera(100, 90, 40, 30, SIZE)
RNG = np.random.default_rng(0)
POINTS0 = RNG.uniform(0, 60, (40, 2))
H = np.array([[1.1, 0.02, 3], [-0.01, 0.9, -2], [1e-4, 0, 1]])
POINTS1 = geometry.warp_points(H, POINTS0) + RNG.normal(0, 0.1, (40, 2))
T = geometry.quarter_turn_motion(1) @ geometry.rigid_motion(np.eye(3), [0.6, 0, 0.8])
E = geometry.essential_from_pose(T)
Made = Callable[[Any], Any]

ENTRIES: dict[str, Callable[[Made], Any]] = {
    "homography": lambda made: geometry.estimate_homography(made(POINTS0), made(POINTS1)).matrix,
    "fundamental": lambda made: geometry.estimate_fundamental(made(POINTS0), made(POINTS1)).matrix,
    "pose": lambda made: geometry.estimate_relative_pose(made(POINTS0), made(POINTS1), CAMERA, CAMERA).inliers,
    "doubtful": lambda made: geometry.estimate_homography(POINTS0, POINTS1, doubtful=made(np.zeros(40))).matrix,
    "pose error": lambda made: geometry.pose_error(made(T), made(T[:3, :3]), made(T[:3, 3])),
    "in front": lambda made: geometry.in_front_of_both(made(T), made(POINTS0), made(POINTS1)),
    "normalise": lambda made: CAMERA.normalise(made(POINTS0)),
    "from matrix": lambda made: Camera.from_matrix(made(CAMERA.matrix)).matrix,
    "essential": lambda made: geometry.essential_from_pose(made(T)),
    "of essential": lambda made: geometry.fundamental_from_essential(made(E), CAMERA, CAMERA),
    "Sampson": lambda made: geometry.sampson_distance(made(E), made(POINTS0), made(POINTS1)),
    "corners": lambda made: geometry.corner_error(made(H), made(np.eye(3)), SIZE),
    "linear": lambda made: geometry.homography_dlt(made(POINTS0), made(POINTS1), made(np.ones(40))),
    "inverse": lambda made: geometry.invert_homography(made(H)),
    "transfer": lambda made: geometry.symmetric_transfer_error(made(H), made(POINTS0), made(POINTS1)),
    "warped image": lambda made: geometry.warp_image(np.full((60, 80), 9, np.uint8), made(H), SIZE)[1],
    "warped points": lambda made: geometry.warp_points(made(H), made(POINTS0)),
    "motion": lambda made: geometry.rigid_motion(made(T[:3, :3]), made(T[:3, 3])),
    "inverse motion": lambda made: geometry.invert_rigid(made(T)),
    "angle": lambda made: geometry.angle_between(made(T[:3, 3]), made(T[:3, 0])),
    "rotation": lambda made: geometry.rotation_angle_between(made(np.eye(3)), made(T[:3, :3])),
    "homogeneous": lambda made: geometry.to_homogeneous(made(POINTS0)),
    "from homogeneous": lambda made: geometry.from_homogeneous(made(T[:3, :3] + 1)),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_tensors_and_lists_are_taken_as_arrays_are(entry: str) -> None:
    expected = ENTRIES[entry](np.array)
    for made in (lambda a: np.array(a).tolist(), torch.tensor, lambda a: torch.tensor(a).requires_grad_()):
        np.testing.assert_array_equal(ENTRIES[entry](made), expected)


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_no_array_of_numbers_gives_one_error(entry: str) -> None:
    wrong: list[Made] = [
        lambda _: "words",
        lambda _: [[None, 1.0]],
        lambda a: np.array(a) + 0j,
        lambda a: torch.tensor(a, device="meta"),
    ]
    for made in wrong:
        with pytest.raises(InputError, match="array of numbers"):
            ENTRIES[entry](made)
    with pytest.raises(InputError, match="must"):
        ENTRIES[entry](lambda _: np.zeros(()))


@pytest.mark.parametrize("value", ["300", None, 1j, 10**400, float("nan")])
def test_what_is_no_number_makes_no_camera(value: Any) -> None:
    for place in range(4):
        values: list[Any] = [300, 300, 40, 30]
        values[place] = value
        with pytest.raises(InputError, match="number"):
            Camera(*values)
    with pytest.raises(InputError):
        Camera.from_focal_35mm(value, SIZE)
    with pytest.raises(InputError):
        Camera.from_field_of_view(value, SIZE)


def test_numbers_of_other_kinds_make_the_same_camera() -> None:
    ours = Camera(torch.tensor(100.0), np.float32(90), np.int64(40), 30, SIZE)  # type: ignore[arg-type]
    assert ours == CAMERA
    with pytest.raises(InputError, match="ImageSize"):
        Camera(100, 90, 40, 30, (60, 80))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [None, (1, 2, 3, 4), np.eye(3)])
def test_what_is_no_camera_and_no_options_is_refused(bad: Any) -> None:
    with pytest.raises(InputError, match="Camera"):
        geometry.estimate_relative_pose(POINTS0, POINTS1, CAMERA, bad)
    with pytest.raises(InputError, match="RobustOptions"):
        geometry.estimate_homography(POINTS0, POINTS1, bad)
    with pytest.raises(InputError, match="confidence must be a number"):
        RobustOptions(confidence=bad)
