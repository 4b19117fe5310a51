"""One photograph and what it matches of a map: what agrees with a pose, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import AbsolutePose, projected
from cyano.formats.priors import PositionPrior
from cyano.geometry import LensCamera
from cyano.localisation.map import Map
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import CameraSource, Candidate, Localisation, Status
from cyano.localisation.photograph.agreement import cells_of, once_each
from cyano.localisation.photograph.correspondences import Correspondences, find_correspondences, joined, nothing_found
from cyano.localisation.photograph.features import Photograph
from cyano.matcher import Matcher

__all__ = ["Found", "Matched"]


@dataclass(frozen=True, eq=False)
class Found:
    """A pose and how it came about.

    Attributes:
        pose: with its inliers among all correspondences, one point for each keypoint.
        source: of the camera.
        moved: whether its principal point was found with the pose.
        held: whether its intrinsics were left as they were known.
        inliers: keypoints that agree with it.
        cells: of the photograph that hold them.
    """

    pose: AbsolutePose
    source: CameraSource
    inliers: int
    cells: int
    moved: bool = False
    held: bool = True

    @property
    def rank(self) -> tuple[int, int]:
        """Of two poses with one camera the one that explains more of the photograph is better."""
        return self.cells, self.inliers


class Matched:
    """A photograph with the images of the map that it was matched with so far."""

    def __init__(
        self,
        place: Map,
        matcher: Matcher,
        options: LocaliseOptions,
        photograph: Photograph,
        prior: PositionPrior | None = None,
        among: Sequence[str] | None = None,
    ) -> None:
        """Nothing is matched yet.

        Args:
            place: the map.
            matcher: with the map's recipe.
            options: how.
            photograph: whose pose is searched for.
            prior: where it was taken, if something is known of that.
            among: the only images of the map that count; None for all.
        """
        self.prior, self.among = prior, None if among is None else set(among)
        self.map, self.matcher, self.options, self.photograph = place, matcher, options, photograph
        self.names: list[str] = []
        self.found: Correspondences = nothing_found()

    def match(self, names: Sequence[str]) -> None:
        """Match with further images of the map."""
        more = find_correspondences(self.matcher, self.map, names, self.photograph.features, first=len(self.names))
        self.names = [*self.names, *names]
        self.found = joined([self.found, more])

    def at(
        self, T_world_to_camera: NDArray[np.float64], camera: LensCamera, source: CameraSource, *, held: bool = True
    ) -> Found:
        """A pose with its inliers among all matches."""
        seen = projected(self.map.model.points[self.found.points], T_world_to_camera, camera)
        errors = np.linalg.norm(seen - self.found.places, axis=1)
        inliers = once_each(self.found, np.where(errors <= self.options.threshold_px, errors, np.inf))
        return self.counted(AbsolutePose(T_world_to_camera, camera, inliers), source, held=held)

    def counted(self, pose: AbsolutePose, source: CameraSource, *, moved: bool = False, held: bool = False) -> Found:
        """A pose whose inliers are known, with how many keypoints they are."""
        count = len(np.unique(self.found.keypoints[pose.inliers]))
        cells = cells_of(self.found.places[pose.inliers], self.photograph.size)
        return Found(pose, source, count, cells, moved, held)

    def failed(self, status: Status, message: str) -> Localisation:
        """An outcome without a pose."""
        return self.outcome(status, message, None)

    def outcome(
        self,
        status: Status,
        message: str,
        best: Found | None,
        covariance: NDArray[np.float64] | None = None,
        confidence: float = 0.0,
    ) -> Localisation:
        """All that is to be told, with a pose or without."""
        found = self.found
        inliers = np.zeros(len(found.keypoints), bool) if best is None else best.pose.inliers
        candidates = [self._candidate(number, inliers) for number in range(len(self.names))]
        order = sorted(range(len(candidates)), key=lambda number: -candidates[number].inliers)
        rank = np.argsort(np.array(order, np.int64))
        blank = Localisation.failed(self.photograph.name, status, message)
        outcome = replace(
            blank,
            keypoints=found.keypoints,
            points2D=found.places,
            points=self.map.model.point_ids[found.points],
            inliers=inliers,
            seen_in=rank[found.images],
            candidates=tuple(candidates[number] for number in order),
        )
        if self.matcher.options.align and not outcome.aligned:
            outcome = replace(outcome, message=f"{message}; not refined, since images of the map are missing")
        if best is None:
            return outcome
        pose = best.pose
        return replace(
            outcome,
            T_world_to_camera=pose.T_world_to_camera,
            camera=pose.camera,
            camera_source=best.source,
            covariance=outcome.covariance if covariance is None else covariance,
            confidence=confidence,
        )

    def _candidate(self, number: int, inliers: NDArray[np.bool_]) -> Candidate:
        name, of_it = self.names[number], self.found.images == number
        aligned = self.matcher.options.align and self.map.features(name).image is not None
        return Candidate(name, int(of_it.sum()), int((inliers & of_it).sum()), aligned)
