"""Points and cameras as PLY files, which MeshLab, CloudCompare and Blender open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.sparse import SparseModel
from cyano.geometry.transforms import invert_rigid

__all__ = ["cameras_ply", "frusta", "points_ply"]

_CAMERA = (214, 39, 40)
_FACES = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 1), (1, 2, 3), (1, 3, 4)], "<i4")
"""Of a pyramid: its apex is vertex 0, and 1 to 4 are the corners of the image, going round."""


def points_ply(model: SparseModel) -> bytes:
    """A binary PLY file of the points with their colours."""
    vertices = np.empty(len(model.points), [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices["xyz"], vertices["rgb"] = model.points, model.colours
    return _header(len(vertices), 0) + vertices.tobytes()


def cameras_ply(model: SparseModel, depth: float) -> bytes:
    """A binary PLY file of the cameras as pyramids.

    Args:
        model: whose cameras.
        depth: of the pyramids, in the unit of the model.
    """
    corners = frusta(model, depth)
    vertices = np.empty(corners.shape[0] * 5, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices["xyz"], vertices["rgb"] = corners.reshape(-1, 3), _CAMERA
    faces = np.empty(len(corners) * len(_FACES), [("count", "u1"), ("vertices", "<i4", 3)])
    faces["count"] = 3
    faces["vertices"] = (_FACES[None] + 5 * np.arange(len(corners))[:, None, None]).reshape(-1, 3)
    return _header(len(vertices), len(faces)) + vertices.tobytes() + faces.tobytes()


def frusta(model: SparseModel, depth: float) -> NDArray[np.float64]:
    """(C, 5, 3) the centre of each camera and the four corners of its image at this depth, in the model's frame."""
    x, y = model.half_views.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    rays = np.stack([(zero, zero, zero), (-x, -y, one), (x, -y, one), (x, y, one), (-x, y, one)])  # (5, 3, C)
    inverse = np.array([invert_rigid(pose) for pose in model.T_world_to_camera]).reshape(-1, 4, 4)
    return np.asarray(np.einsum("cij,kjc->cki", inverse[:, :3, :3], depth * rays) + inverse[:, None, :3, 3])


def _header(vertices: int, faces: int) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {vertices}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"property uchar {channel}" for channel in ("red", "green", "blue")]
    if faces:
        lines += [f"element face {faces}", "property list uchar int vertex_indices"]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")
