"""The camera of a photograph of which nothing is known: a part of a picture, or a lens that distorts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import AbsolutePose, projected
from cyano.formats.poses.free_camera import FreedPose, freed_pose
from cyano.geometry import LensCamera
from cyano.localisation.map import Map
from cyano.localisation.outcome import CameraSource
from cyano.localisation.photograph.agreement import copies_of, once_each
from cyano.localisation.photograph.correspondences import Correspondences
from cyano.types import ImageSize

__all__ = ["OwnCamera", "deviation_of", "with_own_camera"]

_USUAL = 0.01
"""Standard deviation of the principal point from the middle of a whole picture, as a share of the longest side."""

_ROUNDS = 8
"""Of refining, and of finding inliers and their weights again, at most."""

_STILL_PX = 0.01
"""By how much the pixels of a round move on average, for it to be the last."""

_CLEAR = 5.0
"""Standard deviations by which the principal point has to be off the middle, and the distortion to be none."""

_OFF = 0.03
"""Likewise, as a share of the longest side: the principal points of whole pictures are off by less."""

_BENT_PX = 2.0
"""Likewise, how far the distortion moves the corners at least."""

_LOSS_PX = 1.0
"""Scale of Cauchy's loss, as COLMAP's refinement has."""

_FEWER = 0.95
"""Share of the inliers that another camera has to keep."""


class OwnCamera(NamedTuple):
    """A pose with what a photograph tells of its camera.

    Attributes:
        pose: with the camera, and its inliers among all correspondences.
        moved: whether the principal point is farther from the middle than that of a whole picture.
    """

    pose: AbsolutePose
    moved: bool


def with_own_camera(
    found: Correspondences, points: NDArray[np.float64], pose: AbsolutePose, threshold_px: float, size: ImageSize
) -> OwnCamera | None:
    """The pose of a photograph with its own principal point, and its distortion where there clearly is one.

    A turn, a step aside and another focal length make up for a wrong camera, with as many inliers, but they fit less
    well. The principal point of a whole picture is near the middle, and the matches say where; where it clearly is far
    off, they alone do.

    Args:
        found: all correspondences.
        points: (K, 3) where their points are.
        pose: with the principal point in the middle and no distortion.
        threshold_px: how far an inlier may be off.
        size: of the photograph.

    Returns:
        None where the matches do not tell, or fewer keypoints agree with another camera.
    """
    if pose.camera.model != "SIMPLE_PINHOLE":
        return None
    usual = _USUAL * size.longest
    refined = partial(_refined, found, points, pose, threshold_px)
    both = refined(np.inf, True) or refined(np.inf, False)
    moved, bent = (False, False) if both is None else _clear(both, pose, size)
    best = refined(np.inf if moved else usual, bent)
    if best is None or ((moved or bent) and not any(_clear(best, pose, size))):
        moved, best = False, refined(usual, False)
    before = len(np.unique(found.keypoints[pose.inliers]))
    if best is None or len(np.unique(found.keypoints[best.pose.inliers])) < _FEWER * before:
        return None
    camera = best.pose.camera
    if not camera.params[-1]:
        camera = LensCamera("SIMPLE_PINHOLE", camera.size, camera.params[:3])
    return OwnCamera(replace(best.pose, camera=camera), moved)


def deviation_of(place: Map, size: ImageSize, source: CameraSource, *, moved: bool) -> float:
    """Standard deviation in pixels of the principal point but for what the matches say; infinite of what was cut.

    Args:
        place: the map.
        size: of the photograph.
        source: of its camera.
        moved: see `OwnCamera`.
    """
    if source in ("given", "map"):
        return 0.0
    shapes = {image.camera.size for image in place.model.images.values()}
    whole = any(size.has_shape_of(each) or size.turned(1).has_shape_of(each) for each in shapes)
    return _USUAL * size.longest if whole and not moved else np.inf


def _refined(
    found: Correspondences,
    points: NDArray[np.float64],
    pose: AbsolutePose,
    threshold_px: float,
    principal_deviation: float,
    radial: bool,
) -> FreedPose | None:
    """Pose and camera with inliers that agree with them; None where these do not determine them."""
    middle = (pose.camera.params[1], pose.camera.params[2])
    known = partial(freed_pose, principal=middle, principal_deviation=principal_deviation, radial=radial)
    errors, freed = _errors(found, points, pose), None
    for _ in range(_ROUNDS):
        seen = found.chosen(pose.inliers)
        weights = 1 / copies_of(seen) / (1 + np.square(errors[pose.inliers] / _LOSS_PX))
        freed = known(seen.places, points[pose.inliers], pose, weights)
        if freed is None:
            return None
        before, errors = errors, _errors(found, points, freed.pose)
        still = float(np.abs(errors - before)[pose.inliers].mean()) <= _STILL_PX
        pose = replace(freed.pose, inliers=once_each(found, np.where(errors <= threshold_px, errors, np.inf)))
        if still:
            break
    return None if freed is None else freed._replace(pose=pose)


def _errors(found: Correspondences, points: NDArray[np.float64], pose: AbsolutePose) -> NDArray[np.float64]:
    """(K,) pixels."""
    away = projected(points, pose.T_world_to_camera, pose.camera) - found.places
    return np.asarray(np.linalg.norm(away, axis=1))


def _clear(freed: FreedPose, guess: AbsolutePose, size: ImageSize) -> tuple[bool, bool]:
    """Whether the principal point is not in the middle, and whether there is distortion."""
    focal, *centre, distortion = freed.pose.camera.params
    off = np.array(centre) - np.array(guess.camera.params[1:3])
    moved = (np.abs(off) > _CLEAR * freed.deviation[:2]) & (np.abs(off) > _OFF * size.longest)
    corner = np.hypot(size.width, size.height) / 2 / focal
    bent = abs(distortion) > _CLEAR * freed.deviation[2] and abs(distortion) * corner**3 * focal > _BENT_PX
    return bool(moved.any()), bool(bent)
