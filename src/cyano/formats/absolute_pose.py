"""Where a camera stood, from pixels whose places in the world are known; COLMAP's LO-RANSAC and refinement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.formats.colmap_pixels import HALF, lens_from_colmap, lens_to_colmap
from cyano.formats.extras import load_pycolmap, quiet, translated
from cyano.geometry import EstimateStatus, LensCamera
from cyano.geometry.checks import numbers_of, points_2d

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AbsolutePose", "AbsolutePoseOptions", "absolute_pose"]

_LEAST = 4
"""Three correspondences leave up to four poses."""

_LINE = 1e-6
"""Width of a cloud of points over its length, up to which it is a line, about which the camera may turn."""

_LARGEST_INT = 2**31 - 1


@dataclass(frozen=True)
class AbsolutePoseOptions:
    """How to estimate.

    Attributes:
        threshold_px: largest distance of an inlier from its point's projection, in pixels.
        min_inliers: fewer are no pose; at least 4. Random correspondences easily have half of the usual 12.
        estimate_focal_length: whether the camera's is only a guess; it is estimated with the pose, and fx and fy are
            refined each.
        confidence: probability, below 1, that a sample without outliers was drawn before sampling stops.
        max_iterations: number of samples at most.
        seed: of the sampling; the same seed and correspondences give the same pose. 0 is a seed.

    Raises:
        InputError: an option out of its range; the message says which.
    """

    threshold_px: float = 4.0
    min_inliers: int = 12
    estimate_focal_length: bool = False
    confidence: float = 0.99999
    max_iterations: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.threshold_px, Real) or not 0 < self.threshold_px < math.inf:
            raise InputError(f"threshold_px must be a positive number of pixels, not {self.threshold_px!r}")
        if not isinstance(self.confidence, Real) or not 0 < self.confidence < 1:
            raise InputError(f"confidence must lie between 0 and 1, both excluded, not {self.confidence!r}")
        for name, least in (("min_inliers", _LEAST), ("max_iterations", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or not least <= value <= _LARGEST_INT:
                raise InputError(f"{name} must be an integer from {least} to {_LARGEST_INT}, not {value!r}")


DEFAULT_OPTIONS = AbsolutePoseOptions()


@dataclass(frozen=True, eq=False, repr=False)
class AbsolutePose(Concise):
    """Where a camera stood, or why that is not known.

    Attributes:
        status: OK; TOO_FEW_MATCHES than `min_inliers`; DEGENERATE, where the points leave the pose open, as those of a
            line; or NO_MODEL, where too few agree with any pose.
        T_world_to_camera: (4, 4) float64; NaN unless ok.
        inliers: (K,) bool, which correspondences lie within the threshold of the pose; none unless ok.
        covariance: (6, 6) float64 of the rotation about the camera's three axes, in radians, and of the camera's centre
            in the world, in its units, if keypoints are off by a pixel (one standard deviation along x and y), and all
            else is exact; for s pixels it is s^2 of that. NaN unless ok.
        camera: the given one, with the focal length that was estimated if that was asked for.
        options: what was asked for.
    """

    status: EstimateStatus
    T_world_to_camera: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    covariance: NDArray[np.float64]
    camera: LensCamera
    options: AbsolutePoseOptions

    @property
    def ok(self) -> bool:
        """Whether there is a pose."""
        return self.status is EstimateStatus.OK

    @property
    def num_inliers(self) -> int:
        """How many correspondences agree with the pose."""
        return int(self.inliers.sum())

    @property
    def message(self) -> str:
        """What came out, in a sentence."""
        given, least = len(self.inliers), self.options.min_inliers
        within = f"agree with a pose within {self.options.threshold_px:g} px"
        return {
            EstimateStatus.OK: f"{self.num_inliers} of {given} correspondences {within}",
            EstimateStatus.TOO_FEW_MATCHES: f"fewer than {least} of {given} correspondences differ and have a ray",
            EstimateStatus.DEGENERATE: f"the {given} correspondences leave the pose open, as points on a line do",
            EstimateStatus.NO_MODEL: f"fewer than {least} of {given} correspondences {within}",
        }[self.status]

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) where the camera stands in the world; NaN unless ok."""
        return np.asarray(-self.T_world_to_camera[:3, :3].T @ self.T_world_to_camera[:3, 3])


def absolute_pose(
    points2D: ArrayLike, points3D: ArrayLike, camera: LensCamera, options: AbsolutePoseOptions = DEFAULT_OPTIONS
) -> AbsolutePose:
    """The pose of a camera from 2-D to 3-D correspondences, some of which are wrong.

    Args:
        points2D: (K, 2) pixels of Cyano.
        points3D: (K, 3) places in the world; far from its origin as well, of which nothing is lost.
        camera: of the image.
        options: how to estimate.

    Raises:
        InputError: other shapes, or NaN or infinity among the numbers.
        MissingExtraError: pycolmap is not installed.
    """
    pixels, places = points_2d(points2D, "points2D"), numbers_of(points3D, "points3D")
    if places.shape != (len(pixels), 3) or not np.isfinite(places).all():
        raise InputError(
            f"points3D are finite places (K, 3) of the {len(pixels)} points in points2D, not of shape {places.shape}, "
            "nor with NaN or infinity; remove those rows first"
        )
    if not isinstance(camera, LensCamera):
        raise InputError(
            f"the camera is a cyano.geometry.LensCamera, such as LensCamera.from_pinhole(...), not {camera!r:.100}"
        )
    # What has no ray cannot agree, as long as the rays are known.
    usable = np.full(len(pixels), True)
    if not options.estimate_focal_length:
        usable = np.isfinite(camera.normalise(pixels)[:, 0])
    pixels, places = pixels[usable], places[usable]
    if len(np.unique(np.hstack([pixels, places]), axis=0)) < options.min_inliers:
        return _nothing(EstimateStatus.TOO_FEW_MATCHES, camera, len(usable), options)
    origin = np.median(places, axis=0)
    lengths = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if lengths[1] <= _LINE * lengths[0]:
        return _nothing(EstimateStatus.DEGENERATE, camera, len(usable), options)
    found = _estimate(pixels, places - origin, camera, options)
    if isinstance(found, EstimateStatus):
        return _nothing(found, camera, len(usable), options)
    T, covariance, refined = found
    near = _near(T, pixels, places - origin, refined, options.threshold_px)
    if near.sum() < options.min_inliers:
        return _nothing(EstimateStatus.NO_MODEL, camera, len(usable), options)
    inliers = np.zeros(len(usable), np.bool_)
    inliers[np.flatnonzero(usable)[near]] = True
    covariance = _of_centre(covariance, T)
    T[:3, 3] -= T[:3, :3] @ origin
    return AbsolutePose(EstimateStatus.OK, T, inliers, covariance, refined, options)


def _nothing(status: EstimateStatus, camera: LensCamera, count: int, options: AbsolutePoseOptions) -> AbsolutePose:
    T, covariance = np.full((4, 4), np.nan), np.full((6, 6), np.nan)
    return AbsolutePose(status, T, np.zeros(count, np.bool_), covariance, camera, options)


def _estimate(
    pixels: NDArray[np.float64], places: NDArray[np.float64], camera: LensCamera, options: AbsolutePoseOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64], LensCamera] | EstimateStatus:
    """The pose (4, 4), COLMAP's covariance of it and the camera, or why there is none."""
    pycolmap = load_pycolmap()
    estimation, refinement = pycolmap.AbsolutePoseEstimationOptions(), pycolmap.AbsolutePoseRefinementOptions()
    estimation.estimate_focal_length = refinement.refine_focal_length = bool(options.estimate_focal_length)
    estimation.ransac.max_error = float(options.threshold_px)
    estimation.ransac.confidence = float(options.confidence)
    estimation.ransac.random_seed = int(options.seed)
    estimation.ransac.max_num_trials = int(options.max_iterations)
    estimation.ransac.min_num_trials = min(estimation.ransac.min_num_trials, int(options.max_iterations))

    def run(*, covariance: bool) -> tuple[Any, Any]:
        own = lens_to_colmap(pycolmap, camera)
        given = (pixels + HALF, places, own, estimation, refinement, covariance)
        return pycolmap.estimate_and_refine_absolute_pose(*given), own

    doing = "the pose of the camera cannot be estimated"
    with translated(doing, "give other correspondences, or another camera"), quiet(pycolmap):
        found, own = run(covariance=True)
        if found is None:  # there is no pose, or no covariance of it
            return EstimateStatus.NO_MODEL if run(covariance=False)[0] is None else EstimateStatus.DEGENERATE
    T = np.eye(4)
    T[:3] = found["cam_from_world"].matrix()
    covariance = np.asarray(found["covariance"], np.float64)
    if not (np.isfinite(T).all() and np.isfinite(covariance).all()):
        return EstimateStatus.DEGENERATE
    return T, covariance, lens_from_colmap(own) if options.estimate_focal_length else camera


def _near(
    T: NDArray[np.float64],
    pixels: NDArray[np.float64],
    places: NDArray[np.float64],
    camera: LensCamera,
    threshold_px: float,
) -> NDArray[np.bool_]:
    """Which correspondences agree with the pose; NaN does not."""
    projected = camera.project(places @ T[:3, :3].T + T[:3, 3])
    return np.asarray(np.linalg.norm(projected - pixels, axis=1) <= threshold_px)


def _of_centre(covariance: NDArray[np.float64], T: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance of rotation and centre, from COLMAP's of half the rotation and of the translation.

    With R' = exp([w]) R and t' = t + d, the centre -R' t' moves by -R^T (d + [t] w).
    """
    x, y, z = T[:3, 3]
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    onto = np.zeros((6, 6))
    onto[:3, :3] = 2 * np.eye(3)
    onto[3:, :3] = -2 * T[:3, :3].T @ cross
    onto[3:, 3:] = -T[:3, :3].T
    return np.asarray(onto @ covariance @ onto.T)
