"""Synthetic scenes whose cameras, matches and outliers are known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cyano.geometry import Camera
from cyano.types import ImageSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Layout",
    "TwoViewScene",
    "add_outliers",
    "homography_matches",
    "project",
    "rotation_about",
    "smooth_image",
    "two_view_scene",
]

# "general": points fill a box; "planar": points on a slanted plane; "rotation": a box, but no translation.
Layout = Literal["general", "planar", "rotation"]

CAMERA0 = Camera(600.0, 620.0, 319.5, 239.5, ImageSize(480, 640))
CAMERA1 = Camera(500.0, 505.0, 410.0, 290.0, ImageSize(600, 800))  # on purpose another camera, off centre
H_TRUE = np.array([[0.9, 0.1, 30.0], [-0.08, 1.05, 12.0], [1e-4, -5e-5, 1.0]])


@dataclass(frozen=True, eq=False)
class TwoViewScene:
    """Points seen by two cameras.

    Attributes:
        points0: (K, 2) pixels of image 0.
        points1: (K, 2) pixels of image 1, with noise, and some of them replaced by random positions.
        is_inlier: (K,) bool, False where the position was replaced.
        camera0: intrinsics of image 0.
        camera1: intrinsics of image 1.
        T_0to1: (4, 4) motion from camera 0 to camera 1, translation in scene units.
    """

    points0: NDArray[np.float64]
    points1: NDArray[np.float64]
    is_inlier: NDArray[np.bool_]
    camera0: Camera
    camera1: Camera
    T_0to1: NDArray[np.float64]


def rotation_about(axis: tuple[float, float, float], degrees: float) -> NDArray[np.float64]:
    """(3, 3) rotation by Rodrigues' formula, written out."""
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def project(camera: Camera, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, 3) points of the camera's frame -> (K, 2) pixels, one by one from the definition."""
    return np.array([(camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy) for x, y, z in points])


def add_outliers(
    points1: NDArray[np.float64], share: float, size: ImageSize, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Replace this share of the points by uniform positions in the image, and say who stayed, (K,) bool."""
    stays = np.ones(len(points1), dtype=np.bool_)
    stays[rng.choice(len(points1), round(share * len(points1)), replace=False)] = False
    anywhere = rng.uniform((0, 0), (size.width - 1, size.height - 1), points1.shape)
    return np.where(stays[:, None], points1, anywhere), stays


def two_view_scene(
    count: int = 200,
    *,
    layout: Layout = "general",
    outlier_share: float = 0.0,
    noise_px: float = 0.0,
    seed: int = 0,
) -> TwoViewScene:
    """Points 4 to 8 units ahead, a baseline of 0.8 units, 12 degrees of rotation."""
    rng = np.random.default_rng(seed)
    X0 = rng.uniform((-1.6, -1.2, 4.0), (1.6, 1.2, 8.0), (count, 3))
    if layout == "planar":
        X0[:, 2] = 6.0 + 0.5 * X0[:, 0] - 0.3 * X0[:, 1]
    T = np.eye(4)
    T[:3, :3] = rotation_about((0.2, 1.0, 0.1), 12.0)
    if layout != "rotation":
        T[:3, 3] = (-0.78, 0.1, 0.15)
    points0 = project(CAMERA0, X0) + rng.normal(0, noise_px, (count, 2))
    points1 = project(CAMERA1, X0 @ T[:3, :3].T + T[:3, 3]) + rng.normal(0, noise_px, (count, 2))
    assert CAMERA1.size is not None
    points1, is_inlier = add_outliers(points1, outlier_share, CAMERA1.size, rng)
    return TwoViewScene(points0, points1, is_inlier, CAMERA0, CAMERA1, T)


def homography_matches(
    count: int = 200, *, outlier_share: float = 0.0, noise_px: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Matches (K, 2), (K, 2) of 480x640 images that `H_TRUE` relates, and who is no outlier, (K,) bool."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform((0, 0), (639, 479), (count, 2))
    mapped = np.array([H_TRUE @ (x, y, 1.0) for x, y in points0]).reshape(-1, 3)
    points1 = mapped[:, :2] / mapped[:, 2:] + rng.normal(0, noise_px, (count, 2))
    return points0, *add_outliers(points1, outlier_share, ImageSize(480, 640), rng)


def smooth_image(size: ImageSize, *, grey: bool = False, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) or (H, W) uint8 slow waves: interpolation errors stay small and every place differs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size.height, : size.width]
    channels = []
    for _ in range(1 if grey else 3):
        fx, fy, phase = rng.uniform(0.02, 0.06), rng.uniform(0.02, 0.06), rng.uniform(0, 6)
        channels.append(128 + 60 * np.sin(fx * x + phase) + 60 * np.cos(fy * y + 0.01 * x))
    return np.round(np.stack(channels, -1)).astype(np.uint8)[..., 0 if grey else slice(None)]
