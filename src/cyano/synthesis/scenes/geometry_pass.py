"""Which surface each pixel sees, how far away and where on it: exact ray intersections, nearest wins.

Inverse depth and the surface's coordinates divided by depth are affine in the pixel for planes, so a plane costs
a few additions per pixel. Spheres and cylinders are roots of a quadratic. Each surface is visited only inside the
box around its projection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from cyano.errors import InputError
from cyano.synthesis.scenes.surfaces import Cylinder, Quad, Sphere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.synthesis.scenes.surfaces import Surface

__all__ = ["NOTHING", "CurvedPatch", "Layers", "intersect"]

NOTHING = 255
"""The surface index of a pixel whose ray meets no surface; surfaces are numbered below it."""

NEAR = 0.02
"""Metres in front of the camera where the bounding boxes are clipped."""

_Window: TypeAlias = tuple[slice, slice]
_Pose: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64]]"


class CurvedPatch(NamedTuple):
    """The normals of a curved surface inside its window, (3, h, w), pointing outwards, in the camera's frame."""

    surface: int
    window: _Window
    normals: NDArray[np.float32]


@dataclass(eq=False)
class Layers:
    """What the rays met; buffers of (H, W) float32 unless said otherwise.

    Attributes:
        x: (W,) ray directions X / Z of the columns.
        y: (H,) ray directions Y / Z of the rows.
        inverse_depth: 1 / Z in 1 / metres, 0 where nothing was met.
        surface: uint8 index of the nearest surface, `NOTHING` where there is none.
        u: first coordinate on the surface times the inverse depth: a fraction of the side on quads, metres on
            curved surfaces.
        v: second coordinate likewise.
        planes: (256, 4) float64 per quad, by surface: the unit normal towards the camera, and its product with
            any point of the plane (negative); zeros for what is not a quad.
        affine: (256, 3, 3) float32 per quad that is in view: rows whose products with a ray (x, y, 1) are the inverse
            depth, u and v as above; zeros for what is none.
        is_round: (256,) bool per surface: only the ellipse inside of the quad is there.
        patches: normals of the curved surfaces.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    inverse_depth: NDArray[np.float32]
    surface: NDArray[np.uint8]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    planes: NDArray[np.float64]
    affine: NDArray[np.float32]
    is_round: NDArray[np.bool_]
    patches: list[CurvedPatch] = field(default_factory=list)

    def depth(self) -> NDArray[np.float32]:
        """(H, W) float32 distance along the optical axis in metres, 0 where nothing was met."""
        out = np.zeros_like(self.inverse_depth)
        np.divide(1.0, self.inverse_depth, out=out, where=self.inverse_depth > 0)
        return out


def intersect(surfaces: Sequence[Surface], camera: Camera, T_world_to_camera: NDArray[np.float64]) -> Layers:
    """Cast one ray through each pixel centre.

    Args:
        surfaces: at most 255 of them.
        camera: with its size.
        T_world_to_camera: (4, 4), metres.

    Raises:
        InputError: too many surfaces, or a camera without a size.
    """
    if camera.size is None:
        raise InputError("the camera to render with needs a size: Camera(..., size=ImageSize(height, width))")
    if len(surfaces) > NOTHING:
        raise InputError(f"a scene has at most {NOTHING} surfaces, not {len(surfaces)}")
    shape = (camera.size.height, camera.size.width)
    layers = Layers(
        x=((np.arange(shape[1]) - camera.cx) / camera.fx).astype(np.float32),
        y=((np.arange(shape[0]) - camera.cy) / camera.fy).astype(np.float32),
        inverse_depth=np.zeros(shape, np.float32),
        surface=np.full(shape, NOTHING, np.uint8),
        u=np.zeros(shape, np.float32),
        v=np.zeros(shape, np.float32),
        planes=np.zeros((256, 4)),
        affine=np.zeros((256, 3, 3), np.float32),
        is_round=np.zeros(256, np.bool_),
    )
    pose = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    for plane in _planes(surfaces, pose):
        _draw_quad(layers, plane, camera)
    for index, surface in enumerate(surfaces):
        if not isinstance(surface, Quad):
            _draw_curved(layers, index, surface, camera, pose)
    return layers


class _Plane(NamedTuple):
    """A quad in the camera's frame: its unit normal, and the product of that with any of its points."""

    surface: int
    is_round: bool
    corner: NDArray[np.float64]
    u: NDArray[np.float64]
    v: NDArray[np.float64]
    normal: NDArray[np.float64]
    distance: float


def _planes(surfaces: Sequence[Surface], pose: _Pose) -> list[_Plane]:
    """The quads that do not turn their undrawn back, or their edge, to the camera; all at once, for speed."""
    quads = [(index, surface) for index, surface in enumerate(surfaces) if isinstance(surface, Quad)]
    if not quads:
        return []
    R, t = pose
    corners = np.stack([quad.corner for _, quad in quads]) @ R.T + t
    us, vs = (np.stack([getattr(quad, edge) for _, quad in quads]) @ R.T for edge in ("edge_u", "edge_v"))
    normals = np.cross(us, vs)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    distances = (normals * corners).sum(axis=1)
    is_closed = np.array([quad.is_closed for _, quad in quads])
    is_ahead = np.max(np.stack([corners, corners + us, corners + vs, corners + us + vs])[..., 2], axis=0) > NEAR
    drawn = (np.abs(distances) > 1e-6) & ~(is_closed & (distances > 0)) & is_ahead
    return [
        _Plane(quads[k][0], quads[k][1].is_round, corners[k], us[k], vs[k], normals[k], float(distances[k]))
        for k in np.flatnonzero(drawn)
    ]


def _draw_quad(layers: Layers, plane: _Plane, camera: Camera) -> None:
    index, is_round, corner, u, v, normal, distance = plane
    window = _window(_clipped(np.stack([corner, corner + u, corner + u + v, corner + v])), camera)
    if window is None:
        return
    # n . r Z = d on the plane: inverse depth, and what is linear in the point divided by depth, are affine.
    per_depth = normal / distance
    inverse = _affine(layers, window, per_depth)
    hit = inverse > layers.inverse_depth[window]
    if not hit.any():
        return
    row_u, row_v = (u - (u @ corner) * per_depth) / (u @ u), (v - (v @ corner) * per_depth) / (v @ v)
    on_u, on_v = _affine(layers, window, row_u), _affine(layers, window, row_v)
    if is_round:
        half = inverse * np.float32(0.5)
        hit &= np.square(on_u - half) + np.square(on_v - half) <= np.square(half)
    else:
        hit &= on_u >= 0
        hit &= on_u <= inverse
        hit &= on_v >= 0
        hit &= on_v <= inverse
    layers.planes[index, :3] = normal if distance < 0 else -normal
    layers.planes[index, 3] = -abs(distance)
    layers.affine[index] = per_depth, row_u, row_v
    layers.is_round[index] = is_round
    _keep(layers, index, window, hit, (inverse, on_u, on_v))


def _draw_curved(layers: Layers, index: int, surface: Sphere | Cylinder, camera: Camera, pose: _Pose) -> None:
    R, t = pose
    axes = surface.axes @ R.T
    window = _window(_clipped(_box_around(surface, axes, pose)), camera)
    if window is None:
        return
    origin = R @ (surface.centre if isinstance(surface, Sphere) else surface.base) + t
    places = axes @ origin
    curved = 3 if isinstance(surface, Sphere) else 2
    rays = [_affine(layers, window, axis) for axis in axes]
    across = rays[:curved]
    a = np.zeros_like(across[0])
    b = np.zeros_like(across[0])
    for ray, place in zip(across, places[:curved], strict=True):
        a += np.square(ray)
        b += ray * np.float32(place)
    c = np.float32(places[:curved] @ places[:curved] - surface.radius**2)
    discriminant = np.square(b) - a * c
    # The nearer root of a Z^2 - 2 b Z + c = 0 in the form that does not cancel; c > 0 outside of the solid.
    hit = (discriminant > 0) & (b > 0) & bool(c > 0)
    inverse = b + np.sqrt(np.maximum(discriminant, 0))
    inverse /= c
    hit &= inverse > layers.inverse_depth[window]
    depth = np.asarray(1 / np.where(hit, inverse, 1), dtype=np.float32)
    local = [
        np.asarray(ray * depth - np.float32(place), dtype=np.float32) for ray, place in zip(rays, places, strict=True)
    ]
    if isinstance(surface, Sphere):
        on_u, on_v = _on_sphere(local, surface.radius)
        normal = np.stack(local)
    else:
        hit &= (local[2] >= 0) & (local[2] <= surface.height)
        on_u, on_v = np.arctan2(local[1], local[0]) * np.float32(surface.radius), local[2]
        normal = np.stack([*local[:2], np.zeros_like(depth)])
    if not _keep(layers, index, window, hit, (inverse, on_u * inverse, on_v * inverse)):
        return
    normal /= np.float32(surface.radius)
    turned = np.asarray(np.tensordot(axes.T, normal, axes=1), dtype=np.float32)
    layers.patches.append(CurvedPatch(index, window, turned))


def _on_sphere(local: list[NDArray[np.float32]], radius: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lambert's azimuthal equal-area projection: metres on the map for metres from the sphere's centre."""
    stretch = np.sqrt(2 / np.maximum(1 + local[2] / np.float32(radius), 1e-3))
    return local[0] * stretch, local[1] * stretch


def _keep(
    layers: Layers, index: int, window: _Window, hit: NDArray[np.bool_], values: tuple[NDArray[np.float32], ...]
) -> bool:
    """Write where the surface is the nearest so far; False where it is nowhere."""
    if not hit.any():
        return False
    for buffer, value in zip((layers.inverse_depth, layers.u, layers.v), values, strict=True):
        np.copyto(buffer[window], value, where=hit)
    np.copyto(layers.surface[window], np.uint8(index), where=hit)
    return True


def _affine(layers: Layers, window: _Window, row: NDArray[np.float64]) -> NDArray[np.float32]:
    """(h, w) float32 scalar product of a (3,) vector with the rays (x, y, 1) of a window."""
    along_x = layers.x[window[1]] * np.float32(row[0])
    along_y = layers.y[window[0]] * np.float32(row[1]) + np.float32(row[2])
    return np.asarray(np.add.outer(along_y, along_x), dtype=np.float32)


def _box_around(surface: Sphere | Cylinder, axes: NDArray[np.float64], pose: _Pose) -> NDArray[np.float64]:
    """(4, 2, 3) the four edges along the third axis of a box that holds the surface, in the camera's frame."""
    R, t = pose
    if isinstance(surface, Sphere):
        low, high, base = -surface.radius, surface.radius, surface.centre
    else:
        low, high, base = 0.0, surface.height, surface.base
    sides = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * surface.radius
    local = np.array([[(x, y, low), (x, y, high)] for x, y in sides])
    out: NDArray[np.float64] = local @ axes + (R @ base + t)
    return out


def _clipped(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, 3) corners of a polygon (4, 3), or of a box given as four edges (4, 2, 3), cut at the near plane."""
    if points.ndim == 2:
        pairs = [(points[i], points[(i + 1) % 4]) for i in range(4)]
    else:
        flat = points.reshape(8, 3)
        pairs = [(flat[i], flat[j]) for i in range(8) for j in range(i)]  # more than the edges: harmless
        points = flat
    kept = [point for point in points if point[2] >= NEAR]
    if len(kept) < len(points):
        for first, second in pairs:
            if (first[2] >= NEAR) != (second[2] >= NEAR):
                share = (NEAR - first[2]) / (second[2] - first[2])
                kept.append(first + share * (second - first))
    return np.array(kept).reshape(-1, 3)


def _window(points: NDArray[np.float64], camera: Camera) -> _Window | None:
    """The pixels whose centres lie in the box around the projections of (K, 3) points; None where there are none."""
    size = camera.size
    if not len(points) or size is None:
        return None
    columns = points[:, 0] / points[:, 2] * camera.fx + camera.cx
    rows = points[:, 1] / points[:, 2] * camera.fy + camera.cy
    # One pixel more on each side, for the rounding of single precision.
    left, right = max(int(np.floor(columns.min())), 0), min(int(np.ceil(columns.max())) + 1, size.width)
    top, bottom = max(int(np.floor(rows.min())), 0), min(int(np.ceil(rows.max())) + 1, size.height)
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None
