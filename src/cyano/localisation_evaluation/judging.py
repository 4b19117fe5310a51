"""From localisations to numbers: errors against the true poses, recall, and what confidence is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.geometry import invert_rigid, rotation_angle_between
from cyano.localisation.output.records import Record
from cyano.localisation_evaluation.sets import PosedPhotograph
from cyano.localisation_evaluation.similarity import Similarity

__all__ = ["RECALL_AT", "RIGHT", "Judged", "Score", "auc", "judge", "score"]

RECALL_AT = ((0.1, 0.5), (0.5, 2.0), (2.0, 5.0), (1.0, 10.0), (2.0, 10.0))
"""Degrees, and percent of the median distance between two cameras of the set."""

RIGHT = (2.0, 10.0)
"""What a right localisation may be off at most; the truth of some sets is itself 5 % off."""


@dataclass(frozen=True)
class Judged:
    """A localisation beside the truth.

    Attributes:
        name: of the photograph.
        record: what was found; None where there was no map.
        degrees: of rotation between the poses; infinite without a pose, or for a photograph of another place.
        percent: distance of the centres in percent of the median distance of the set's cameras; likewise.
        focal_percent: error of the focal length in percent; likewise.

    Example:
        >>> judged = Judged("new.png", record=None)  # there was no map
        >>> judged.ok, judged.right, judged.confidence
        (False, False, 0.0)
    """

    name: str
    record: Record | None
    degrees: float = float("inf")
    percent: float = float("inf")
    focal_percent: float = float("inf")

    @property
    def ok(self) -> bool:
        """Whether it was said to be certain."""
        return self.record is not None and self.record.status == "ok"

    @property
    def right(self) -> bool:
        """Whether it is, by `RIGHT`."""
        return self.degrees <= RIGHT[0] and self.percent <= RIGHT[1]

    @property
    def confidence(self) -> float:
        """0 without a pose."""
        return 0.0 if self.record is None else self.record.confidence


@dataclass(frozen=True)
class Score:
    """What became of the photographs of a trial.

    Attributes:
        queries: photographs.
        ok: of them with a pose that was said to be certain.
        degrees: median error, those without a pose counting as infinite.
        percent: likewise.
        recall: percent of the queries within each of `RECALL_AT`.
        inlier_share: median of those with a pose, in percent of the keypoints that match points.
        focal_percent: median error of the focal length.
        focal_recall: percent of the queries whose focal length is within 3 %.
        wrong_but_ok: certain, and not right by `RIGHT`.

    Example:
        >>> found = score([Judged("1.png", None, degrees=0.1, percent=0.2), Judged("2.png", None)])
        >>> found.queries, found.ok, found.wrong_but_ok
        (2, 0, 0)
    """

    queries: int
    ok: int
    degrees: float
    percent: float
    recall: tuple[float, ...]
    inlier_share: float
    focal_percent: float
    focal_recall: float
    wrong_but_ok: int


def judge(record: Record, truth: PosedPhotograph, to_set: Similarity, distance: float) -> Judged:
    """The errors of a localisation.

    Args:
        record: of the photograph.
        truth: its true camera.
        to_set: from the map's frame to the set's.
        distance: median distance of the set's cameras.
    """
    if not record.has_pose or record.camera is None:
        return Judged(truth.name, record)
    pose = to_set.pose(record.T_world_to_camera)
    turn = rotation_angle_between(pose[:3, :3], truth.T_world_to_camera[:3, :3])
    away = float(np.linalg.norm(invert_rigid(pose)[:3, 3] - truth.centre))
    focal = abs(record.camera.lens.focal_length / truth.camera.focal_length - 1)
    return Judged(truth.name, record, float(np.degrees(turn)), 100 * away / distance, 100 * focal)


def score(judged: Sequence[Judged]) -> Score:
    """The numbers of a trial.

    Example:
        >>> judged = [Judged("1.png", None, degrees=0.1, percent=0.2), Judged("2.png", None)]
        >>> score(judged).queries
        2
    """
    degrees, percent, focal = (
        np.array([getattr(each, name) for each in judged]) for name in ("degrees", "percent", "focal_percent")
    )
    shares = [each.record.evidence.share for each in judged if each.record is not None and each.record.evidence]
    return Score(
        len(judged),
        sum(each.ok for each in judged),
        _median(degrees),
        _median(percent),
        tuple(_share((degrees <= most) & (percent <= far)) for most, far in RECALL_AT),
        100 * _median(np.array(shares)),
        _median(focal),
        _share(focal <= 3),
        sum(each.ok and not each.right for each in judged),
    )


def auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """How often a confidence of the right ones is above one of the wrong ones, ties counting half; NaN without both.

    Example:
        >>> auc([0.9, 0.8], [0.1, 0.8])
        0.875
    """
    if not len(right) or not len(wrong):
        return float("nan")
    higher = np.asarray(right)[:, None] - np.asarray(wrong)[None]
    return float(((higher > 0) + 0.5 * (higher == 0)).mean())


def _share(true: NDArray[np.bool_]) -> float:
    """Percent; NaN of nothing."""
    return 100 * float(true.mean()) if len(true) else float("nan")


def _median(values: NDArray[np.float64]) -> float:
    """The lower one of two in the middle, since one of them may be infinite."""
    return float(np.sort(values)[(len(values) - 1) // 2]) if len(values) else float("nan")
