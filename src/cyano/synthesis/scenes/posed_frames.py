"""Posed RGB-D frames on disk, and two of them as a training pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cyano.errors import InputError, MissingExtraError
from cyano.geometry.transforms import invert_rigid
from cyano.geometry.truth import DepthTruth
from cyano.processing import images, resize
from cyano.reading import read_text
from cyano.synthesis.scenes.posed import PosedPair

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.types import ResizeMap

__all__ = ["FramePair", "PosedFrame", "load_pair", "read_matrix"]

_SHRINK = resize.ResizeRule()

AGREES = 0.05
"""Relative difference of two measured depths up to which they are one place: sensors and their poses are noisier
than renderers."""

_MILLIMETRES_PER_METRE = 1000.0
_H5_SUFFIXES = (".h5", ".hdf5")


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """One picture with its depth, not yet read.

    Attributes:
        image: the picture.
        depth: a 16-bit PNG in millimetres, or an HDF5 file with a data set "depth"; 0 where unknown.
        camera: intrinsics of the picture.
        depth_camera: intrinsics of the depth map, which is registered to the picture.
        T_camera_to_world: (4, 4), in metres, or in the unit of HDF5 depths.
    """

    image: Path
    depth: Path
    camera: Camera
    depth_camera: Camera
    T_camera_to_world: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FramePair:
    """Two frames of one scene.

    Attributes:
        frame0: the first.
        frame1: the second.
        overlap: share of either that the other shows, as the data set tells it; None where it does not.
        T_0to1: (4, 4) from camera 0 to camera 1 where the pair has a finer one than the frames' poses; else None.
    """

    frame0: PosedFrame
    frame1: PosedFrame
    overlap: float | None = None
    T_0to1: NDArray[np.float64] | None = None

    def swapped(self) -> FramePair:
        """The same the other way round."""
        return FramePair(
            self.frame1, self.frame0, self.overlap, None if self.T_0to1 is None else invert_rigid(self.T_0to1)
        )


def load_pair(pair: FramePair, rule: resize.ResizeRule = _SHRINK, agrees: float = AGREES) -> PosedPair:
    """Read two frames, bring them to the wanted size, and the cameras with them.

    Each pixel of the resized picture takes the nearest measured depth: between two surfaces there is none to
    interpolate.

    Args:
        pair: the frames.
        rule: the size of the pictures; `ResizeRule.exact` makes batches.
        agrees: see `DepthTruth`.

    Raises:
        InputError: a file is missing or cannot be read.
        MissingExtraError: the depth is an HDF5 file and h5py is not installed.
    """
    image0, depth0, camera0 = _load(pair.frame0, rule)
    image1, depth1, camera1 = _load(pair.frame1, rule)
    T_0to1 = pair.T_0to1
    if T_0to1 is None:
        T_0to1 = invert_rigid(pair.frame1.T_camera_to_world) @ pair.frame0.T_camera_to_world
    return PosedPair(image0, image1, DepthTruth(depth0, depth1, camera0, camera1, T_0to1, agrees))


def _load(frame: PosedFrame, rule: resize.ResizeRule) -> tuple[NDArray[np.float32], NDArray[np.float32], Camera]:
    image = images.read(_read_pixels(frame.image))
    grey, way = resize.apply(image, rule)
    camera = frame.camera.scaled(way)
    return grey, _resampled(_read_depth(frame.depth), frame, camera, way), camera


def _read_pixels(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB as stored: depth and pose know nothing of the EXIF orientation that a file may have kept."""
    if not path.is_file():
        raise InputError(f"there is no image {path}")
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise InputError(f"{path} is not an image that can be read")
    return np.ascontiguousarray(pixels[..., ::-1], dtype=np.uint8)


def _resampled(depth: NDArray[np.float32], frame: PosedFrame, camera: Camera, way: ResizeMap) -> NDArray[np.float32]:
    """(h, w) depth of the pixels of the resized picture; 0 outside of the depth map."""
    size, source = way.network, frame.depth_camera
    columns = (np.arange(size.width) - camera.cx) / camera.fx * source.fx + source.cx
    rows = (np.arange(size.height) - camera.cy) / camera.fy * source.fy + source.cy
    x, y = np.rint(columns).astype(np.int64), np.rint(rows).astype(np.int64)
    x_inside, y_inside = (x >= 0) & (x < depth.shape[1]), (y >= 0) & (y < depth.shape[0])
    out = depth[np.ix_(np.clip(y, 0, depth.shape[0] - 1), np.clip(x, 0, depth.shape[1] - 1))]
    out[~y_inside] = 0
    out[:, ~x_inside] = 0
    return out


def _read_depth(path: Path) -> NDArray[np.float32]:
    """(H, W) float32, 0 where unknown (files say so by 0, negative or not finite numbers)."""
    if not path.is_file():
        raise InputError(f"there is no depth map {path}")
    if path.suffix in _H5_SUFFIXES:
        depth = _read_h5(path)
    else:
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint16:
            raise InputError(f"{path} is not a 16-bit grey image; depth maps are, in millimetres")
        depth = pixels / np.float32(_MILLIMETRES_PER_METRE)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0)).astype(np.float32)


def _read_h5(path: Path) -> NDArray[np.float32]:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError('HDF5 depth maps need h5py: pip install ".[train]" in the folder of Cyano') from error
    try:
        with h5py.File(path, "r") as file:
            depth = np.asarray(file["depth"], dtype=np.float32)
    except (OSError, KeyError) as error:
        raise InputError(f"{path} is not an HDF5 file with a data set named depth: {error}") from error
    if depth.ndim != 2:
        raise InputError(f"{path}: a depth map has shape (H, W), not {depth.shape}")
    return depth


def read_matrix(path: Path, rows: int) -> NDArray[np.float64]:
    """(rows, rows) numbers of a text file, row by row; the upper left part of a (4, 4) where 3 rows are wanted.

    Raises:
        InputError: the file is missing or holds something else.
    """
    words = read_text(path).split()
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    side = 4 if len(numbers) == 16 else rows
    if len(numbers) != side * side:
        raise InputError(f"{path} must hold {rows}x{rows} numbers, row by row, not {len(numbers)} numbers")
    return numbers.reshape(side, side)[:rows, :rows]
