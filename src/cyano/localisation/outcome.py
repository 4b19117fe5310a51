"""What localising a photograph gives: always a status and a sentence, and a pose only where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.formats.known_cameras import KnownCamera

__all__ = ["CameraSource", "Candidate", "Localisation", "Status"]

Status = Literal["ok", "uncertain", "no keypoints", "no candidates", "too few matches", "no pose"]
CameraSource = Literal["given", "map", "EXIF", "estimated"]


@dataclass(frozen=True)
class Candidate:
    """An image of the map that a photograph was matched with.

    Attributes:
        name: of the image.
        correspondences: its matched keypoints that are points of the map.
        inliers: those of them that agree with the pose.
    """

    name: str
    correspondences: int
    inliers: int


@dataclass(frozen=True, eq=False, repr=False)
class Localisation(Concise):
    """Where a photograph was taken.

    Attributes:
        name: of the photograph.
        status: "ok"; "uncertain" where there is a pose that may be wrong; or why there is none.
        message: the same in a sentence.
        T_world_to_camera: (4, 4) float64, of the photograph as it is displayed; NaN without a pose.
        camera: intrinsics, parameters in COLMAP's order and pixels; None without a pose.
        camera_source: where they are from; None without a pose.
        covariance: (6, 6) float64 of a rotation in radians and a translation in the map's unit; NaN where unknown.
        confidence: probability that the pose is right, 0 without one.
        points2D: (K, 2) float64 pixels of the photograph that correspond to points of the map.
        points: (K,) int64 COLMAP's numbers of these points.
        inliers: (K,) bool, which of them agree with the pose.
        seen_in: (K,) int64, the candidate that each is from.
        candidates: the images of the map that were matched, most inliers first.
    """

    name: str
    status: Status
    message: str
    T_world_to_camera: NDArray[np.float64]
    camera: KnownCamera | None
    camera_source: CameraSource | None
    covariance: NDArray[np.float64]
    confidence: float
    points2D: NDArray[np.float64]  # noqa: N815 - the field's name
    points: NDArray[np.int64]
    inliers: NDArray[np.bool_]
    seen_in: NDArray[np.int64]
    candidates: tuple[Candidate, ...]

    @property
    def ok(self) -> bool:
        """Whether there is a pose to rely on."""
        return self.status == "ok"

    @property
    def has_pose(self) -> bool:
        """Whether there is one at all."""
        return self.camera is not None

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) where the camera stood, in the map's frame."""
        return np.asarray(-self.T_world_to_camera[:3, :3].T @ self.T_world_to_camera[:3, 3])
