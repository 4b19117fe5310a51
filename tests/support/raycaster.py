"""The slow twin of the renderer's geometry: one ray at a time, in the world's frame, in double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyano.synthesis.scenes.surfaces import Cylinder, Quad, Sphere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.synthesis.scenes.surfaces import Surface

__all__ = ["cast_depth"]


def cast_depth(
    surfaces: Sequence[Surface], camera: Camera, T_world_to_camera: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(H, W) depth along the optical axis, 0 where a ray meets nothing."""
    assert camera.size is not None
    R, t = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    eye, forward = -R.T @ t, R[2]
    depth = np.zeros((camera.size.height, camera.size.width))
    for row in range(camera.size.height):
        for column in range(camera.size.width):
            ray = R.T @ ((column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy, 1.0)
            ray /= np.linalg.norm(ray)
            met = [reach for surface in surfaces for reach in _reaches(surface, eye, ray)]
            depth[row, column] = min(met, default=0.0) * (ray @ forward)
    return depth


def _reaches(surface: Surface, eye: NDArray[np.float64], ray: NDArray[np.float64]) -> list[float]:
    """Distances along a unit ray at which it enters a surface from the side that is drawn."""
    if isinstance(surface, Quad):
        return _on_quad(surface, eye, ray)
    if isinstance(surface, Sphere):
        offset = eye - surface.centre
        return _entries(1.0, offset @ ray, offset @ offset - surface.radius**2)
    assert isinstance(surface, Cylinder)
    axis = surface.axes[2]
    offset = eye - surface.base
    across, ray_across = offset - axis * (offset @ axis), ray - axis * (ray @ axis)
    found = _entries(ray_across @ ray_across, across @ ray_across, across @ across - surface.radius**2)
    return [reach for reach in found if 0 <= (offset + reach * ray) @ axis <= surface.height]


def _on_quad(quad: Quad, eye: NDArray[np.float64], ray: NDArray[np.float64]) -> list[float]:
    normal = np.cross(quad.edge_u, quad.edge_v)
    if quad.is_closed and normal @ ray >= 0:
        return []
    # corner + a u + b v = eye + reach ray
    a, b, reach = np.linalg.solve(np.stack([quad.edge_u, quad.edge_v, -ray], axis=1), eye - quad.corner)
    is_on = (a - 0.5) ** 2 + (b - 0.5) ** 2 <= 0.25 if quad.is_round else 0 <= a <= 1 and 0 <= b <= 1
    return [float(reach)] if is_on and reach > 0 else []


def _entries(a: float, b: float, c: float) -> list[float]:
    """The smaller root of a x^2 + 2 b x + c = 0 where it is real and positive: where a ray from outside enters."""
    roots = np.roots([a, 2 * b, c])
    return [float(roots.real.min())] if np.isreal(roots).all() and roots.real.min() > 0 else []
