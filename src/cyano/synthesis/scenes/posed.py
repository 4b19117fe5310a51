"""Two pictures of one rigid scene with depth and pose, from a renderer or from a sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError
from cyano.geometry.transforms import invert_rigid
from cyano.geometry.truth import DepthTruth, Visibility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera

__all__ = ["PosedPair", "PosedView", "overlap"]


@dataclass(frozen=True, eq=False)
class PosedPair:
    """Two views and the truth between them.

    Attributes:
        image0: (H, W) float32 grey in [0, 1].
        image1: likewise; its size may differ.
        truth: depths in metres (in the unit of the reconstruction for MegaDepth), cameras and pose.

    Raises:
        InputError: an image and its depth differ in size.
    """

    image0: NDArray[np.float32]
    image1: NDArray[np.float32]
    truth: DepthTruth

    def __post_init__(self) -> None:
        for image, depth in ((self.image0, self.truth.depth0), (self.image1, self.truth.depth1)):
            if image.ndim != 2 or image.shape != depth.shape:
                raise InputError(
                    f"an image (H, W) and its depth have the same size, not {image.shape} and {depth.shape}"
                )


@dataclass(frozen=True, eq=False)
class PosedView:
    """One view of a rigid scene.

    Attributes:
        image: (H, W) float32 grey in [0, 1].
        depth: (H, W) float32, metres, 0 where it is not known.
        camera: of the view.
        T_world_to_camera: (4, 4), metres.
    """

    image: NDArray[np.float32]
    depth: NDArray[np.float32]
    camera: Camera
    T_world_to_camera: NDArray[np.float64]

    def truth_with(self, other: PosedView) -> DepthTruth:
        """Where points of this view lie in another one, and the other way round."""
        T_0to1 = other.T_world_to_camera @ invert_rigid(self.T_world_to_camera)
        return DepthTruth(self.depth, other.depth, self.camera, other.camera, T_0to1)


def overlap(truth: DepthTruth, columns: int = 32) -> tuple[float, float]:
    """How much of each view the other one shows: (share of image 0 seen in image 1, the other way round).

    Measured on a coarse grid, over the points with known depth; 0 where there are none.

    Args:
        truth: the two views.
        columns: points across; as many rows as keep the grid square.
    """
    shares = []
    for depth, project in ((truth.depth0, truth.to_image1), (truth.depth1, truth.to_image0)):
        points = _grid(depth.shape, columns)
        x, y = np.rint(points).astype(np.int64).T
        points = points[depth[y, x] > 0]
        visible = project(points).visibility == Visibility.VISIBLE
        shares.append(float(visible.mean()) if len(visible) else 0.0)
    return shares[0], shares[1]


def _grid(shape: tuple[int, ...], columns: int) -> NDArray[np.float64]:
    """(N, 2) points (x, y) at the centres of equal cells of an image."""
    height, width = shape
    rows = max(1, round(columns * height / width))
    y, x = np.mgrid[:rows, :columns] + 0.5
    return np.stack([x.ravel() * width / columns - 0.5, y.ravel() * height / rows - 0.5], axis=1)
