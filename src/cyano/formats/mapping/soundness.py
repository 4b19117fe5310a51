"""Whether the images of a model are where the model says: what can be told without ground truth.

An image is sound if its camera is a possible one, it sees enough points, and its matches agree with its pose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.geometry import in_front_of_both, rigid_motion, sampson_distance

__all__ = ["Evidence", "agreement", "median_ray_angle", "read_evidence", "unsound"]

FOCAL_BOUNDS = 0.3, 8.0  # over the longest side, where nobody told it: fields of view from 118 to 7 degrees
_FEWEST_INLIERS = 15  # of a pair that the mappers take
_FEWEST_POINTS = 15  # that an image has to see; mappers give a pose from 30 on and may lose some of them later
_AGREEMENT_PX = 4.0  # that a match may be off the epipolar line, as where pairs are verified
_LEAST_AGREEMENT = 0.5  # share of an image's verified matches that agree with the poses of a sound model
_FACTOR = 2.0  # by which refinement may change a focal length that was given: a crop to half makes EXIF's wrong by it
_OFF_CENTRE = 0.25  # of the longest side: how far refinement may move the principal point
_DISTORTION = 1.0, 0.05  # by how much refinement may change a parameter, or move the edge as a share of its distance
_PARALLEL = 0.005  # sine of the angle of two rays below which on which side they meet is noise
_MOST_POINTS = 5000  # that the angles of rays are taken of


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a model is held against.

    Attributes:
        cameras: COLMAP's cameras by their numbers, as mapping begins with them.
        keypoints: (N, 2) float64 in COLMAP's pixels, by the numbers of the images.
        pairs: two images and the (K, 2) rows of keypoints that are verified matches.
    """

    cameras: dict[int, Any]
    keypoints: dict[int, NDArray[np.float64]]
    pairs: list[tuple[int, int, NDArray[np.int64]]]

    @property
    def focal_lengths_known(self) -> bool:
        """Whether somebody told the focal lengths of all cameras, as far as that says anything."""
        return all(camera.has_prior_focal_length for camera in self.cameras.values())

    @property
    def connected(self) -> set[int]:
        """The images that are verified with another one."""
        return {image for first, second, _ in self.pairs for image in (first, second)}


def read_evidence(pycolmap: Any, database: Path) -> Evidence:
    """Cameras, keypoints and verified matches of a database."""
    with pycolmap.Database.open(str(database)) as opened:
        cameras = {camera.camera_id: camera for camera in opened.read_all_cameras()}
        pairs = []
        for pair, geometry in zip(*opened.read_two_view_geometries(), strict=True):
            if len(geometry.inlier_matches) >= _FEWEST_INLIERS:
                rows = np.asarray(geometry.inlier_matches, np.int64)
                pairs.append((*pycolmap.pair_id_to_image_pair(pair), rows))
        images = {image for first, second, _ in pairs for image in (first, second)}
        keypoints = {image: opened.read_keypoints(image)[:, :2].astype(np.float64) for image in images}
    return Evidence(cameras, keypoints, pairs)


def unsound(model: Any, evidence: Evidence, shares: Mapping[int, float]) -> dict[int, str]:
    """The images of a model that cannot be trusted, with the reasons.

    Impossible cameras and too few points come first. Only where there are none, agreement counts, and then only the
    worst of the images below the limit are told of: an image that is wrong takes from the agreement of others.

    Args:
        model: COLMAP's.
        evidence: of the database that it was made from.
        shares: see `agreement`.

    Returns:
        Reasons in words by the numbers of the images.
    """
    reasons = {}
    for number in model.reg_image_ids():
        image = model.image(number)
        fault = camera_fault(model.camera(image.camera_id), evidence.cameras[image.camera_id])
        few = f"sees {image.num_points3D} points" if image.num_points3D < _FEWEST_POINTS else None
        if few or fault:
            reasons[number] = "; ".join(filter(None, (few, fault)))
    if reasons:
        return reasons
    low = sorted((share, number) for number, share in shares.items() if share < _LEAST_AGREEMENT)
    worst = low[: -(-len(low) // 4)]
    return {number: f"{100 * share:.0f} % of its verified matches agree with its pose" for share, number in worst}


def camera_fault(camera: Any, begun: Any) -> str | None:
    """Why a refined camera is impossible, judged by the one that refinement began with; None if it is possible."""
    longest = max(camera.width, camera.height)
    focal, given = camera.mean_focal_length(), begun.mean_focal_length()
    low, high = (bound * longest for bound in FOCAL_BOUNDS)
    if begun.has_prior_focal_length:
        low, high = given / _FACTOR, given * _FACTOR
    if not low <= focal <= high:
        return f"a focal length of {focal:.0f} px in images of {longest} px"
    centre = np.array([camera.principal_point_x, camera.principal_point_y])
    moved = np.linalg.norm(centre - (begun.principal_point_x, begun.principal_point_y))
    if not moved <= _OFF_CENTRE * longest:
        return f"a principal point {moved:.0f} px off in images of {longest} px"
    rest = list(camera.extra_params_idxs())
    changed = np.asarray(camera.params)[rest] - np.asarray(begun.params)[rest]
    most, share = _DISTORTION
    if rest and not np.abs(changed).max() <= most:
        edge = centre + np.array([longest / 2, 0.0])
        ray = np.asarray(camera.cam_from_img(edge), np.float64)
        if not np.linalg.norm(focal * ray + centre - edge) <= share * longest / 2:
            return f"a distortion parameter that went by {np.abs(changed).max():.2f}"
    return None


class _View(NamedTuple):
    """An image of a model.

    Attributes:
        rays: (N, 2) normalised undistorted keypoints.
        focal: in pixels.
        pose: (4, 4) world to camera.
    """

    rays: NDArray[np.float64]
    focal: float
    pose: NDArray[np.float64]


def agreement(model: Any, evidence: Evidence) -> dict[int, float]:
    """For each image of a model the share of its verified matches that agree with the poses of both images.

    A match agrees if it is within 4 pixels of obeying the two poses' epipolar geometry and, unless its rays are nearly
    parallel, meets in front of both cameras. It need not be a point of the model, so this is evidence of its own.
    1 for an image without a verified match in the model.
    """
    views = {number: _view(model, number, evidence) for number in model.reg_image_ids() if number in evidence.keypoints}
    agreeing, total = dict.fromkeys(model.reg_image_ids(), 0), dict.fromkeys(model.reg_image_ids(), 0)
    for first, second, rows in evidence.pairs:
        if first not in views or second not in views:
            continue
        good = int(_agrees(views[first], views[second], rows).sum())
        for number in (first, second):
            agreeing[number] += good
            total[number] += len(rows)
    return {number: agreeing[number] / count if count else 1.0 for number, count in total.items()}


def _view(model: Any, number: int, evidence: Evidence) -> _View:
    image = model.image(number)
    camera = model.camera(image.camera_id)
    rays = np.asarray(camera.cam_from_img(evidence.keypoints[number]), np.float64).reshape(-1, 2)
    pose = image.cam_from_world()
    return _View(rays, abs(camera.mean_focal_length()), rigid_motion(pose.rotation.matrix(), pose.translation))


def _agrees(view0: _View, view1: _View, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(K,) whether matches agree with two poses; false where a camera has no ray for a keypoint."""
    rays0, rays1 = view0.rays[rows[:, 0]], view1.rays[rows[:, 1]]
    good = np.isfinite(np.hstack([rays0, rays1])).all(axis=1)
    motion = view1.pose @ np.linalg.inv(view0.pose)
    baseline = np.linalg.norm(motion[:3, 3])
    if not good.any() or not np.isfinite(motion).all() or baseline == 0:
        return np.zeros(len(rows), bool)
    rays0, rays1 = rays0[good], rays1[good]
    x, y, z = motion[:3, 3] / baseline
    E = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ motion[:3, :3]
    pixels0, pixels1 = (np.array([1 / view.focal, 1 / view.focal, 1.0]) for view in (view0, view1))
    near = sampson_distance(pixels1[:, None] * E * pixels0, rays0 * view0.focal, rays1 * view1.focal) < _AGREEMENT_PX
    a, b = (np.column_stack([rays, np.ones(len(rays))]) for rays in (rays0, rays1))
    a = a @ motion[:3, :3].T
    sine = np.linalg.norm(np.cross(a, b), axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    agrees = np.zeros(len(rows), bool)
    agrees[good] = near & (in_front_of_both(motion, rays0, rays1) | (sine < _PARALLEL))
    return agrees


def median_ray_angle(model: Any) -> float:
    """The median over the points of the largest angle between two rays to a point, in degrees; 0 without points.

    It says how well depth is determined: images from nearly one place have rays that hardly cross.
    """
    centres = {number: model.image(number).projection_center() for number in model.reg_image_ids()}
    numbers = sorted(model.points3D)
    angles = []
    for number in numbers[:: max(1, len(numbers) // _MOST_POINTS)]:
        point = model.point3D(number)
        rays = np.array([centres[element.image_id] - point.xyz for element in point.track.elements])
        rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), np.finfo(float).tiny)
        angles.append(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1.0, 1.0))))
    return float(np.median(angles)) if angles else 0.0
