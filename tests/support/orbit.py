"""A cloud of points seen by cameras on an arc around it: features and matches without any image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cyano.geometry import Camera
from cyano.store import FeatureStore, MatchStore, StoredImage, StoredPair, TwoViewGeometry
from cyano.types import ImageSize, ResizeMap
from support.scenes import project, rotation_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CAMERA", "Orbit", "Stores", "orbit", "stores_of"]

CAMERA = Camera(600.0, 600.0, 319.5, 239.5, ImageSize(480, 640))
_DISTANCE, _STEP_DEGREES = 6.0, 10.0


@dataclass(frozen=True, eq=False)
class Orbit:
    """Views of one cloud.

    Attributes:
        points: (P, 3) of the world.
        names: of the images.
        poses: (4, 4) from the world to the camera, one for each image.
        tracks: (N,) which point each keypoint shows, one array for each image.
        keypoints: (N, 2) float32 in Cyano's pixels, one array for each image.
    """

    points: NDArray[np.float64]
    names: list[str]
    poses: list[NDArray[np.float64]]
    tracks: list[NDArray[np.int64]]
    keypoints: list[NDArray[np.float32]]

    def relative_pose(self, first: int, second: int) -> NDArray[np.float64]:
        """(4, 4) from the camera of one image to that of another."""
        return np.asarray(self.poses[second] @ np.linalg.inv(self.poses[first]))


def orbit(views: int = 6, points: int = 250, seed: int = 0, aside: float = 0.0) -> Orbit:
    """Each view shows a random four fifths of the points, in its own order, exactly.

    The cameras look at the middle, or by random angles of about so many radians past it.
    """
    rng = np.random.default_rng(seed)
    world = rng.uniform(-1.2, 1.2, (points, 3))
    scene = Orbit(world, [], [], [], [])
    for view in range(views):
        pose = np.eye(4)
        pose[:3, :3] = rotation_about((0.1, 1.0, 0.05 * view), _STEP_DEGREES * view)
        pose[:3, 3] = (0.0, 0.0, _DISTANCE)
        if aside:
            pose[:3] = rotation_about(rng.normal(size=3), aside) @ pose[:3]
        tracks = rng.permutation(points)[: points * 4 // 5]
        seen = world[tracks] @ pose[:3, :3].T + pose[:3, 3]
        scene.names.append(f"folder {view % 2}/vue é {view}.jpg")
        scene.poses.append(pose)
        scene.tracks.append(tracks)
        scene.keypoints.append(project(CAMERA, seen).astype(np.float32))
    return scene


@dataclass(frozen=True, eq=False)
class Stores:
    """The features and matches of a scene on disk."""

    features: FeatureStore
    matches: MatchStore


def stores_of(scene: Orbit, root: Path, *, verified: bool = True) -> Stores:
    """Store the views, all pairs with their true poses, an image without keypoints and a pair without matches."""
    size = CAMERA.size
    assert size is not None
    rng = np.random.default_rng(1)
    frame = ResizeMap(size, ImageSize(240, 320))
    images = []
    for name, keypoints in zip(
        [*scene.names, "empty.jpg"], [*scene.keypoints, np.zeros((0, 2), np.float32)], strict=True
    ):
        count = len(keypoints)
        descriptors = rng.normal(size=(count, 4)).astype(np.float16)
        images.append(StoredImage(name, "c0ffee", keypoints, rng.random(count, np.float32), descriptors, frame))
    pairs = [StoredPair("empty.jpg", scene.names[0], np.zeros((0, 2), np.int32), np.zeros(0, np.float32))]
    for first, second in combinations(range(len(scene.names)), 2):
        _, rows0, rows1 = np.intersect1d(scene.tracks[first], scene.tracks[second], return_indices=True)
        order = np.argsort(rows0)
        indices = np.stack([rows0, rows1], axis=1)[order].astype(np.int32)
        pose = TwoViewGeometry("pose", scene.relative_pose(first, second), np.ones(len(indices), bool))
        scores = np.linspace(0.5, 1, len(indices)).astype(np.float16).astype(np.float32)
        pair = StoredPair(scene.names[first], scene.names[second], indices, scores, pose if verified else None)
        pairs.append(pair.swapped() if second % 2 else pair)
    features, matches = FeatureStore(root, {"scene": "orbit"}), MatchStore(root, {"scene": "orbit"})
    features.write(images)
    matches.write(pairs)
    return Stores(features, matches)
