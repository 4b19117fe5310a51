"""A textured wedge seen by two cameras whose motion is known: images, intrinsics and pose, on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.geometry import Camera, invert_rigid, quarter_turn_motion, rigid_motion
from cyano.pairs import Pair
from cyano.types import ImageSize, ResizeMap
from support.scenes import rotation_about

SIZE = ImageSize(240, 320)
CAMERA = Camera(300.0, 300.0, 159.5, 119.5, SIZE)


@dataclass(frozen=True, eq=False)
class PosedPair:
    """Two images and the motion between their cameras."""

    image0: NDArray[np.uint8]
    image1: NDArray[np.uint8]
    T_0to1: NDArray[np.float64]


def posed_pair() -> PosedPair:
    """A textured wedge, z = 4 + 0.6 |x|, from two places 0.7 apart that look 4 degrees past each other.

    Two planes, because a single one leaves the pose from an essential matrix ambiguous.
    """
    T = rigid_motion(rotation_about((0.0, 1.0, 0.0), -6.0), (-0.7, 0.06, 0.1))
    return PosedPair(_seen_from(np.eye(4)), _seen_from(T), T)


def _seen_from(T: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The wedge in the camera to which `T` moves points, by following every pixel's ray to the wedge."""
    from skimage import data

    y, x = np.mgrid[: SIZE.height, : SIZE.width].astype(np.float64)
    rays = np.stack([(x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy, np.ones_like(x)], axis=-1) @ T[:3, :3]
    centre = -T[:3, :3].T @ T[:3, 3]
    hits = []
    for slope in (0.6, -0.6):  # the half with x >= 0, the half with x < 0: z - slope x = 4
        normal = np.array([-slope, 0.0, 1.0])
        hits.append(centre + rays * ((4.0 - normal @ centre) / (rays @ normal))[..., None])
    point = np.where(hits[0][..., :1] >= 0, hits[0], hits[1])
    # The photograph, 512 pixels, is 5 units wide on the wedge's (x, y).
    column, row = (np.asarray(point[..., axis] / 5.0 * 512 + 256, dtype=np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(data.astronaut(), column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def written(folder: Path, scene: PosedPair, stored_turns: tuple[int, int] = (0, 0)) -> Pair:
    """Write the images as a turned sensor would store them, and the entry of the list that sets them upright.

    `stored_turns` are counter-clockwise turns of the files; as many clockwise turns in the list undo them. K and T
    are those of the images as stored.
    """
    folder.mkdir(exist_ok=True)
    cameras, motions, names = [], [], []
    for index, (image, turns) in enumerate(zip((scene.image0, scene.image1), stored_turns, strict=True)):
        names.append(f"view{index}_{turns}.png")
        Image.fromarray(np.rot90(image, turns)).save(folder / names[-1])
        frame = ResizeMap(SIZE, SIZE.turned(turns), turns)
        cameras.append(CAMERA.scaled(frame).matrix)
        motions.append(quarter_turn_motion(turns))
    T = motions[1] @ scene.T_0to1 @ invert_rigid(motions[0])
    return Pair(names[0], names[1], *stored_turns, cameras[0], cameras[1], T)
