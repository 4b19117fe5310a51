"""The camera of a photograph of which nothing is known: a part of a picture, or a lens that distorts."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import AbsolutePose, projected
from cyano.formats.poses.free_camera import FreedPose, freed_pose
from cyano.localisation.map import Map
from cyano.localisation.photograph.agreement import copies_of, once_each
from cyano.localisation.photograph.correspondences import Correspondences
from cyano.types import ImageSize

__all__ = ["OwnCamera", "may_be_a_part", "with_own_camera"]

_ROUNDS = 5
"""Of refining and finding inliers again, at most."""

_STILL = 1.001
"""Less than this ratio of the inliers of two rounds is the end."""

_CLEAR = 5.0
"""Standard deviations by which the principal point has to be off the middle, and the distortion to be none."""

_OFF = 0.03
"""Likewise, as a share of the longest side: the principal points of whole pictures are off by less."""

_BENT_PX = 2.0
"""Likewise, how far the distortion moves the corners at least."""


class OwnCamera(NamedTuple):
    """A pose with what a photograph tells of its camera.

    Attributes:
        pose: with the camera, and its inliers among all correspondences.
        moved: whether its principal point is not in the middle.
    """

    pose: AbsolutePose
    moved: bool


def with_own_camera(
    found: Correspondences, points: NDArray[np.float64], pose: AbsolutePose, threshold_px: float, size: ImageSize
) -> OwnCamera | None:
    """The pose of a photograph with its principal point and its distortion, where they clearly are not as guessed.

    A turn, a step aside and another focal length make up for a wrong camera, with as many inliers, but they fit less
    well.

    Args:
        found: all correspondences.
        points: (K, 3) where their points are.
        pose: with the principal point in the middle and no distortion.
        threshold_px: how far an inlier may be off.
        size: of the photograph.

    Returns:
        None where the camera may as well be as guessed, or fewer keypoints agree with another one.
    """
    if pose.camera.model != "SIMPLE_PINHOLE":
        return None
    before = len(np.unique(found.keypoints[pose.inliers]))
    both = _refined(found, points, pose, threshold_px, (True, True))
    if both is None:
        both = _refined(found, points, pose, threshold_px, (True, False))
    if both is None:
        return None
    free = _clear(both, pose, size)
    if not any(free):
        return None
    best = _refined(found, points, pose, threshold_px, free)
    if best is None or not any(_clear(best, pose, size)):
        return None
    agreeing = len(np.unique(found.keypoints[best.pose.inliers]))
    return OwnCamera(best.pose, free[0]) if agreeing >= before else None


def may_be_a_part(place: Map, size: ImageSize) -> bool:
    """Whether no image of a map has the shape of a photograph, upright or turned, so that it may have been cut."""
    shapes = {image.camera.size for image in place.model.images.values()}
    return not any(size.has_shape_of(each) or size.turned(1).has_shape_of(each) for each in shapes)


def _refined(
    found: Correspondences,
    points: NDArray[np.float64],
    pose: AbsolutePose,
    threshold_px: float,
    free: tuple[bool, bool],
) -> FreedPose | None:
    """Pose and camera with inliers that agree with them; None where these do not determine them."""
    count, freed = int(pose.inliers.sum()), None
    for _ in range(_ROUNDS):
        seen = found.chosen(pose.inliers)
        weights = 1 / copies_of(seen)
        freed = freed_pose(seen.places, points[pose.inliers], pose, weights, principal=free[0], radial=free[1])
        if freed is None:
            return None
        where = projected(points, freed.pose.T_world_to_camera, freed.pose.camera)
        errors = np.linalg.norm(where - found.places, axis=1)
        pose = replace(freed.pose, inliers=once_each(found, np.where(errors <= threshold_px, errors, np.inf)))
        before, count = count, int(pose.inliers.sum())
        if count <= _STILL * before:
            break
    return None if freed is None else freed._replace(pose=pose)


def _clear(freed: FreedPose, guess: AbsolutePose, size: ImageSize) -> tuple[bool, bool]:
    """Whether the principal point is not in the middle, and whether there is distortion."""
    focal, *centre, distortion = freed.pose.camera.params
    off = np.array(centre) - np.array(guess.camera.params[1:3])
    moved = (np.abs(off) > _CLEAR * freed.deviation[:2]) & (np.abs(off) > _OFF * size.longest)
    corner = np.hypot(size.width, size.height) / 2 / focal
    bent = abs(distortion) > _CLEAR * freed.deviation[2] and abs(distortion) * corner**3 * focal > _BENT_PX
    return bool(moved.any()), bool(bent)
