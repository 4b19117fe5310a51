"""The similarity between the frames of two sets of camera poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry import invert_rigid, rigid_motion

__all__ = ["Similarity", "similarity"]


@dataclass(frozen=True, eq=False)
class Similarity:
    """x goes to `scale * R @ x + t`.

    Attributes:
        scale: positive.
        R: (3, 3) float64.
        t: (3,) float64.
    """

    scale: float
    R: NDArray[np.float64]
    t: NDArray[np.float64]

    @classmethod
    def identity(cls) -> Similarity:
        """That of equal frames."""
        return cls(1.0, np.eye(3), np.zeros(3))

    def pose(self, T_world_to_camera: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4, 4) T_world_to_camera of the same camera in the other frame."""
        centre = self.scale * self.R @ invert_rigid(T_world_to_camera)[:3, 3] + self.t
        rotation = T_world_to_camera[:3, :3] @ self.R.T
        return rigid_motion(rotation, -rotation @ centre)


def similarity(poses: Mapping[str, NDArray[np.float64]], truths: Mapping[str, NDArray[np.float64]]) -> Similarity:
    """The similarity that takes poses to others of the same cameras.

    The rotation is the mean of what each camera says of it: centres alone, which often lie near a line, would leave
    the turn about it open. Scale and translation are those of least squares on the centres.

    Args:
        poses: (4, 4) T_world_to_camera by name.
        truths: likewise, in the frame that is wanted; those of one name are of one camera.

    Raises:
        InputError: fewer than three are of the same name, or they stand in one place.
    """
    names = sorted(poses.keys() & truths.keys())
    if len(names) < 3:
        raise InputError(f"{len(names)} of the cameras have ground-truth poses; aligning the frames needs three")
    U, _, Vt = np.linalg.svd(np.sum([truths[name][:3, :3].T @ poses[name][:3, :3] for name in names], axis=0))
    R = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    mine, true = (np.array([invert_rigid(each[name])[:3, 3] for name in names]) for each in (poses, truths))
    turned, wanted = (mine - mine.mean(0)) @ R.T, true - true.mean(0)
    scale = float((turned * wanted).sum() / max((turned**2).sum(), np.finfo(np.float64).tiny))
    if not scale > 0:
        raise InputError("no similarity transform takes the cameras to their ground-truth positions")
    return Similarity(scale, R, true.mean(0) - scale * R @ mine.mean(0))
