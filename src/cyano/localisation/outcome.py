"""What localising a photograph gives: always a status and a sentence, and a pose only where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.geometry import LensCamera
from cyano.localisation.photograph.confidence import Evidence

__all__ = ["CameraSource", "Candidate", "Localisation", "Status"]

Status = Literal["ok", "uncertain", "no keypoints", "no candidates", "too few matches", "no pose", "not usable"]
CameraSource = Literal["given", "map", "EXIF", "estimated"]


@dataclass(frozen=True)
class Candidate:
    """An image of the map that a photograph was matched with.

    Attributes:
        name: of the image.
        correspondences: its matched keypoints that are points of the map.
        inliers: those of them that agree with the pose.
        aligned: whether its pixels were at hand to align its matches.

    Example:
        >>> found = Localiser(Map.open(Path("run"), recipe)).localise("new.png")
        >>> best = found.candidates[0]
        >>> best.name in collection.names(), best.inliers <= best.correspondences, best.aligned
        (True, True, True)
    """

    name: str
    correspondences: int
    inliers: int
    aligned: bool


@dataclass(frozen=True, eq=False, repr=False)
class Localisation(Concise):
    """Where a photograph was taken.

    Attributes:
        name: of the photograph.
        status: "ok"; "uncertain" where there is a pose that may be wrong; or why there is none. "not usable" is a
            photograph that cannot be read, or whose camera does not fit.
        message: the same in a sentence.
        T_world_to_camera: (4, 4) float64, of the photograph as it is displayed; NaN without a pose.
        camera: intrinsics of the photograph as it is displayed; None without a pose.
        camera_source: where they are from; None without a pose.
        covariance: (6, 6) float64 of a rotation vector in radians, applied after the pose's rotation, and of the
            pose's translation in the map's unit; NaN where unknown.
        confidence: probability that the pose is right, 0 without one.
        evidence: what the confidence follows from; None without a pose.
        keypoints: (K,) int64 numbers of the photograph's keypoints; one has a row for each candidate that it is
            matched with.
        points2D: (K, 2) float64 pixels of the photograph where they are, aligned to the candidate.
        points: (K,) int64 COLMAP's numbers of the map's points that they match.
        inliers: (K,) bool, which of them agree with the pose.
        seen_in: (K,) int64, the place among `candidates` of the one that each is from.
        candidates: the images of the map that were matched, most inliers first.

    Example:
        >>> found = Localiser(Map.open(Path("run"), recipe)).localise("new.png")
        >>> if found.ok:
        ...     print(found.centre.shape, found.confidence > 0.9, found.camera.model)
        ... else:
        ...     print(found.status, found.message)
        (3,) True SIMPLE_RADIAL
    """

    name: str
    status: Status
    message: str
    T_world_to_camera: NDArray[np.float64]
    camera: LensCamera | None
    camera_source: CameraSource | None
    covariance: NDArray[np.float64]
    confidence: float
    keypoints: NDArray[np.int64]
    points2D: NDArray[np.float64]  # noqa: N815 - the field's name
    points: NDArray[np.int64]
    inliers: NDArray[np.bool_]
    seen_in: NDArray[np.int64]
    candidates: tuple[Candidate, ...]
    evidence: Evidence | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a pose to rely on."""
        return self.status == "ok"

    @property
    def has_pose(self) -> bool:
        """Whether there is one at all."""
        return self.camera is not None

    @property
    def aligned(self) -> bool:
        """Whether matches were aligned with the pixels of all candidates."""
        return all(candidate.aligned for candidate in self.candidates)

    @property
    def inlier_count(self) -> int:
        """Keypoints that agree with the pose; each has as many rows in `inliers` as candidates show it."""
        return len(np.unique(self.keypoints[self.inliers]))

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) where the camera stood, in the map's frame."""
        return np.asarray(-self.T_world_to_camera[:3, :3].T @ self.T_world_to_camera[:3, 3])

    @property
    def direction(self) -> NDArray[np.float64]:
        """(3,) of unit length, where it looked, in the map's frame."""
        return self.T_world_to_camera[2, :3].copy()

    @classmethod
    def failed(cls, name: str, status: Status, message: str) -> Localisation:
        """An outcome of which nothing else is known.

        Example:
            >>> found = Localisation.failed("dark.png", "no keypoints", "the photograph has no keypoints")
            >>> found.ok, found.has_pose
            (False, False)
        """
        whole, none = np.empty(0, np.int64), np.empty(0, np.bool_)
        pose, covariance = np.full((4, 4), np.nan), np.full((6, 6), np.nan)
        places = np.empty((0, 2))
        return cls(name, status, message, pose, None, None, covariance, 0.0, whole, places, whole, none, whole, ())
