"""Photographs of one moment by the cameras of a rig: one pose for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import Intrinsics
from cyano.formats.poses.covariance import pose_covariance
from cyano.formats.poses.rig_pose import RigView, rig_covariance, rig_pose
from cyano.geometry import LensCamera
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import CameraSource, Localisation, Status
from cyano.localisation.photograph.agreement import copies_of, spread_of
from cyano.localisation.photograph.confidence import CERTAIN, Evidence, confidence_of
from cyano.localisation.photograph.correspondences import counted
from cyano.localisation.photograph.groups import differ
from cyano.localisation.photograph.matched import Found
from cyano.localisation.photograph.search import Search

__all__ = ["Member", "RigSearch"]


@dataclass(eq=False)
class Member:
    """A camera of the rig, with its photograph.

    Attributes:
        search: of the photograph.
        sources: what is known of its camera, the most trusted first.
        T_rig_to_camera: (4, 4).
        camera: the most trusted, or what its matches alone made of the camera, and where it is from.
        trusted: whether that is more than a guess.
    """

    search: Search
    sources: Sequence[tuple[Intrinsics, CameraSource]]
    T_rig_to_camera: NDArray[np.float64]
    camera: tuple[LensCamera, CameraSource] = field(init=False)
    trusted: bool = field(init=False)

    def __post_init__(self) -> None:
        known, source = self.sources[0]
        self.camera, self.trusted = (known.camera, source), not known.guessed

    def explore(self, names: Sequence[str]) -> None:
        """Match the photograph as if it were alone, which also tells the focal length of a camera."""
        found = self.search.explored(names, self.sources)
        if isinstance(found, Found):
            self.camera, self.trusted = (found.pose.camera, found.source), True

    def view(self, chosen: NDArray[np.bool_]) -> RigView:
        """What it sees, of some of its matches."""
        found = counted(self.search.found.chosen(chosen))
        points = self.search.map.model.points[found.points]
        return RigView(self.camera[0], self.T_rig_to_camera, found.places, points)

    def at(self, T_world_to_rig: NDArray[np.float64]) -> Found:
        """The pose that the rig's gives it, with its inliers."""
        return self.search.at(self.T_rig_to_camera @ T_world_to_rig, *self.camera)


class RigSearch:
    """The pose of a rig from what its photographs match, each as if it were alone."""

    def __init__(self, members: Sequence[Member], options: LocaliseOptions) -> None:
        """Nothing is estimated yet.

        Args:
            members: which are matched already.
            options: how.
        """
        self.members, self.options = members, options
        self._known = [member for member in members if member.trusted]

    def run(self) -> list[Localisation]:
        """An outcome for each member, in their order: all have a pose, of one status, or none has."""
        counts = [len(np.unique(member.search.found.keypoints)) for member in self._known]
        if not any(len(member.search.photograph.features) for member in self.members):
            return self._failed("no keypoints", "the images have no keypoints: they are textureless, dark or blurred")
        if sum(counts) < self.options.min_inliers:
            words = f"{sum(counts)} keypoints of all cameras match points of the map; a pose needs more"
            return self._failed("too few matches", words)
        pose = self._pose(self._everything())
        if pose is not None and self.options.expand:
            pose = self._expanded(pose)
        found = [] if pose is None else [member.at(pose) for member in self._known]
        if pose is None or sum(each.inliers for each in found) < self.options.min_inliers:
            return self._failed("no pose", f"no pose of the rig agrees with {self.options.min_inliers} keypoints")
        return self._judged(pose, found)

    def _everything(self) -> list[NDArray[np.bool_]]:
        return [np.ones(len(member.search.found.keypoints), bool) for member in self._known]

    def _pose(self, chosen: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64] | None:
        """The pose of the rig by some matches of each known member."""
        views = [member.view(which) for member, which in zip(self._known, chosen, strict=True) if which.any()]
        return rig_pose(views, threshold_px=self.options.threshold_px, seed=self.options.seed) if views else None

    def _expanded(self, pose: NDArray[np.float64]) -> NDArray[np.float64]:
        """The pose with the images of the map that show what any of the cameras sees, for those that lack them."""
        before = [member.at(pose) for member in self._known]
        seen = [member.search.found.points[each.pose.inliers] for member, each in zip(self._known, before, strict=True)]
        points = np.unique(np.concatenate(seen))
        for member in self._known:
            more = member.search.map.neighbours(points, member.search.names)
            fresh = [name for name, _ in more[: self.options.top_k]]
            if len(member.search.photograph.features) and fresh:
                member.search.match(fresh)
        again = self._pose(self._everything())
        inliers = -1 if again is None else sum(member.at(again).inliers for member in self._known)
        return pose if again is None or inliers < sum(each.inliers for each in before) else again

    def _rival(self, pose: NDArray[np.float64], found: Sequence[Found]) -> int:
        """Keypoints that agree with the best pose of another place, of what is left over."""
        other = self._pose([~each.pose.inliers for each in found])
        if other is None:
            return 0
        there = [member.at(other) for member in self._known]
        ours, theirs = (np.concatenate([each.pose.inliers for each in some]) for some in (found, there))
        return sum(each.inliers for each in there) if differ(pose, ours, other, theirs) else 0

    def _judged(self, pose: NDArray[np.float64], found: Sequence[Found]) -> list[Localisation]:
        points = [
            member.search.map.model.points[member.search.found.points[each.pose.inliers]]
            for member, each in zip(self._known, found, strict=True)
        ]
        turns = [member.T_rig_to_camera for member in self._known]
        covariance = rig_covariance([_covariance(*both) for both in zip(self._known, found, strict=True)], turns)
        matched = sum(len(np.unique(member.search.found.keypoints)) for member in self._known)
        inliers, rival = sum(each.inliers for each in found), self._rival(pose, found)
        evidence = Evidence(
            inliers=inliers,
            share=inliers / matched,
            cells=sum(each.cells for each in found),
            rival=rival,
            spread=spread_of(pose, covariance, np.concatenate(points)),
        )
        confidence = confidence_of(evidence)
        words = f"{inliers} keypoints of {len(self.members)} cameras agree with the pose of the rig"
        if rival:
            words += f"; {rival} with one elsewhere"
        status: Status = "ok" if confidence >= CERTAIN else "uncertain"
        outcomes = []
        for member in self.members:
            turn = np.kron(np.eye(2), member.T_rig_to_camera[:3, :3])
            own = turn @ covariance @ turn.T
            outcome = member.search.outcome(status, words, member.at(pose), own, confidence)
            outcomes.append(replace(outcome, evidence=evidence))
        return outcomes

    def _failed(self, status: Status, message: str) -> list[Localisation]:
        return [member.search.failed(status, message) for member in self.members]


def _covariance(member: Member, found: Found) -> NDArray[np.float64]:
    """Of a camera's own pose by its own inliers."""
    seen = member.search.found.chosen(found.pose.inliers)
    return pose_covariance(
        seen.places,
        member.search.map.model.points[seen.points],
        found.pose.T_world_to_camera,
        found.pose.camera,
        weights=1 / copies_of(seen),
    )
