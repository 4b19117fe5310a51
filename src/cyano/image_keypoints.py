"""One image of a matched pair: its keypoints, its pixels if they are at hand, and its camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cyano import correspondences, geometry
from cyano.errors import InputError
from cyano.geometry.camera import checked_camera
from cyano.types import Features

if TYPE_CHECKING:
    from cyano.processing.images import LoadedImage

__all__ = ["AnyCamera", "ImageKeypoints", "calibrated"]

AnyCamera: TypeAlias = geometry.Camera | geometry.LensCamera


@dataclass(frozen=True, eq=False, repr=False)
class ImageKeypoints(correspondences.ImageKeypoints):
    """One image of a pair, where its keypoints are, and what its file says of its camera.

    Attributes:
        focal_35mm: EXIF focal length in millimetres on 35 mm film, if known.
        stretched: the values that became black and white, where they were spread over the whole range; see
            `MatcherOptions.stretch`.
    """

    focal_35mm: float | None = None
    stretched: tuple[int, int] | None = None

    @classmethod
    def of_each(cls, sides: Sequence[Features], images: Sequence[LoadedImage] | None = None) -> list[ImageKeypoints]:
        """Features in the form of results: numpy arrays on the CPU, and the images if there are any.

        A GPU is asked for all of them at once.
        """
        import torch  # a result is made without

        rows = [torch.cat([each.keypoints, each.scores[:, None]], dim=1).detach() for each in sides]
        here = torch.split(torch.cat(rows).cpu(), [len(each) for each in rows])
        results = []
        for number, (features, row) in enumerate(zip(sides, here, strict=True)):
            image = None if images is None else images[number]
            shown = () if image is None else (image.name, image.rgb, image.focal_35mm, image.stretched)
            keypoints, scores = (np.ascontiguousarray(each) for each in (row[:, :2].numpy(), row[:, 2].numpy()))
            results.append(cls(keypoints, scores, features.frame, *shown))
        return results

    def exif_camera(self) -> geometry.Camera:
        """The pinhole camera that the EXIF focal length tells, its principal point in the centre.

        Raises:
            InputError: the image has no EXIF focal length.
        """
        if self.focal_35mm is None:
            raise InputError(f"{self.name} has no EXIF focal length; give the camera's intrinsics instead")
        return geometry.Camera.from_focal_35mm(self.focal_35mm, self.size)

    def camera(self, given: AnyCamera | None = None) -> geometry.LensCamera:
        """The camera of this image: the given one, fitted to its size, or that of EXIF.

        Raises:
            InputError: see `exif_camera`; or the given one is of a picture of another shape, or none.
        """
        if isinstance(given, geometry.LensCamera):
            return given.displayed(self.size, what=self.name)
        pinhole = self.exif_camera() if given is None else checked_camera(given).fitted(self.size, self.name)
        return geometry.LensCamera.from_pinhole(replace(pinhole, size=self.size))

    def side(
        self, keypoints: NDArray[np.float32], given: AnyCamera | None
    ) -> tuple[NDArray[np.float64], geometry.Camera]:
        """(K, 2) keypoints of this image without the distortion of its camera, and the pinhole camera of that.

        Raises:
            InputError: see `camera`.
        """
        lens = self.camera(given)
        return lens.undistorted_points(keypoints), lens.pinhole


def calibrated(
    estimate: Callable[..., geometry.RobustEstimate],
    sides: Sequence[tuple[NDArray[np.float64], geometry.Camera]],
    options: geometry.RobustOptions,
    doubtful: NDArray[np.bool_],
) -> geometry.RobustEstimate:
    """An estimate from both sides of a pair's matches; those are no inliers where a lens says nothing."""
    (points0, camera0), (points1, camera1) = sides
    seen = np.asarray(np.isfinite(np.hstack([points0, points1])).all(axis=1))
    found = estimate(points0[seen], points1[seen], camera0, camera1, options, doubtful[seen])
    inliers = np.zeros(len(seen), np.bool_)
    inliers[seen] = found.inliers
    return replace(found, inliers=inliers)
