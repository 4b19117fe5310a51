"""Which images of a map show one place, and which poses are of different places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cyano.geometry import rotation_angle_between
from cyano.pairs import covisible

__all__ = ["connected", "differ"]

_CONNECTED = 8
"""Points that two images of the map share, for them to show one place."""

_TURNED = np.radians(10.0)
"""Between poses that cannot be the same."""


def connected(seen: Sequence[NDArray[np.int64]]) -> list[list[int]]:
    """Groups of images that are connected by common points, directly or by others.

    Args:
        seen: (N,) the point of each keypoint of an image, -1 where it is none, one array for each image.

    Returns:
        The images' numbers, each in one group; groups in the order of their first images.
    """
    group = list(range(len(seen)))
    for pair in covisible(seen, list(map(str, group)), top_k=max(len(seen), 1), least=_CONNECTED):
        new, old = group[int(pair.name0)], group[int(pair.name1)]
        group = [new if each == old else each for each in group]
    return [[place for place, each in enumerate(group) if each == label] for label in dict.fromkeys(group)]


def differ(
    pose0: NDArray[np.float64], inliers0: NDArray[np.bool_], pose1: NDArray[np.float64], inliers1: NDArray[np.bool_]
) -> bool:
    """Whether two poses are of different places: far turned from each other, or most inliers are others.

    Args:
        pose0: (4, 4) T_world_to_camera.
        inliers0: (K,) bool, of the same correspondences as `inliers1`.
        pose1: likewise.
        inliers1: likewise.
    """
    common, fewer = int((inliers0 & inliers1).sum()), int(min(inliers0.sum(), inliers1.sum()))
    return bool(common < 0.5 * fewer or rotation_angle_between(pose0[:3, :3], pose1[:3, :3]) > _TURNED)
