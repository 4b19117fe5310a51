"""Scenes to pictures: rays (geometry_pass), then textures and light for the pixels that are seen, each once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cyano.synthesis.scenes.atlas import SIDE
from cyano.synthesis.scenes.borders import smooth_borders
from cyano.synthesis.scenes.geometry_pass import NOTHING, intersect
from cyano.synthesis.scenes.lighting import Lighting
from cyano.synthesis.scenes.surfaces import Quad
from cyano.synthesis.scenes.tables import spread, spread_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.synthesis.scenes.atlas import Atlas
    from cyano.synthesis.scenes.geometry_pass import Layers
    from cyano.synthesis.scenes.surfaces import Bounds, Surface

__all__ = ["Scene", "render", "render_depth"]

_SLANT = 0.75
"""Between 0.5 (texture levels by the area that a pixel covers on a slanted surface) and 1 (by its longer axis):
less blur than the second, less aliasing than the first."""

_NO_LIGHT = Lighting()


@dataclass(frozen=True, eq=False)
class Scene:
    """Surfaces with their textures, and where cameras go.

    Attributes:
        surfaces: at most 255.
        atlas: the textures.
        stage: where a camera may stand.
        obstacles: boxes around solids, which a camera stays out of.
        interests: (K, 3) points in metres that cameras look at.
        distances: the nearest and the farthest that a camera stands from what it looks at, in metres.
        sky: grey at the horizon and overhead, for rays that meet nothing; their depth is 0.
    """

    surfaces: tuple[Surface, ...]
    atlas: Atlas
    stage: Bounds
    obstacles: tuple[Bounds, ...]
    interests: NDArray[np.float64]
    distances: tuple[float, float]
    sky: tuple[float, float] = (0.8, 0.6)


def render_depth(scene: Scene, camera: Camera, T_world_to_camera: NDArray[np.float64]) -> NDArray[np.float32]:
    """(H, W) float32 distance along the optical axis in metres at the pixel centres, 0 where there is nothing.

    Args:
        scene: what there is.
        camera: with its size.
        T_world_to_camera: (4, 4), metres.

    Raises:
        InputError: a camera without a size.
    """
    return intersect(scene.surfaces, camera, T_world_to_camera).depth()


def render(
    scene: Scene, camera: Camera, T_world_to_camera: NDArray[np.float64], lighting: Lighting = _NO_LIGHT
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A picture of the scene, and its depth.

    Args:
        scene: what there is.
        camera: with its size.
        T_world_to_camera: (4, 4), metres.
        lighting: the default shows the textures as they are.

    Returns:
        (H, W) float32 grey in [0, 1], and (H, W) float32 depth as of `render_depth`.

    Raises:
        InputError: a camera without a size.
    """
    layers = intersect(scene.surfaces, camera, T_world_to_camera)
    depth = layers.depth()
    image = _textured(scene, layers, depth, camera.mean_focal)
    image *= _shade(layers, depth, T_world_to_camera, lighting)
    _paint_sky(image, scene, layers, T_world_to_camera)
    _expose(image, layers, lighting)
    smooth_borders(image, layers)
    return image, depth


def _textured(scene: Scene, layers: Layers, depth: NDArray[np.float32], focal: float) -> NDArray[np.float32]:
    """(H, W) float32 own grey of what each pixel sees."""
    scale_u, scale_v, bias = np.zeros((3, 256), np.float32)
    texture = np.zeros(256, np.uint8)
    for index, surface in enumerate(scene.surfaces):
        density = SIDE / surface.coat.tile
        texture[index] = surface.coat.texture
        bias[index] = np.log2(density / focal)
        scale_u[index] = scale_v[index] = density
        if isinstance(surface, Quad):
            scale_u[index] *= np.linalg.norm(surface.edge_u)
            scale_v[index] *= np.linalg.norm(surface.edge_v)
            bias[index] -= _SLANT * np.log2(max(-layers.planes[index, 3], 1e-6))
    inverse = np.where(layers.inverse_depth > 0, layers.inverse_depth, np.float32(1))
    level = spread(bias, layers.surface)
    log_inverse = np.asarray(cv2.log(inverse), dtype=np.float32)
    log_inverse *= np.float32(1 / np.log(2))
    for patch in layers.patches:
        seen = layers.surface[patch.window] == patch.surface
        facing = -_along_rays(layers, patch.window, patch.normals)
        slanted = np.log2(np.maximum(facing, 1e-3)) - log_inverse[patch.window]
        level[patch.window][seen] -= np.float32(_SLANT) * slanted[seen]
    level -= np.float32(1 + _SLANT) * log_inverse
    u, v = layers.u * depth, layers.v * depth
    u *= spread(scale_u, layers.surface)
    v *= spread(scale_v, layers.surface)
    return scene.atlas.look_up(u, v, level, spread_bytes(texture, layers.surface))


def _along_rays(layers: Layers, window: tuple[slice, slice], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) scalar products of (3, h, w) vectors with the rays (x, y, 1)."""
    out: NDArray[np.float32] = vectors[0] * layers.x[window[1]]
    out += vectors[1] * layers.y[window[0]][:, None]
    out += vectors[2]
    return out


def _shade(
    layers: Layers, depth: NDArray[np.float32], T_world_to_camera: NDArray[np.float64], lighting: Lighting
) -> NDArray[np.float32]:
    """(H, W) float32 light that falls on what each pixel sees; without cast shadows."""
    R, t = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    direction = R @ lighting.direction
    facing = np.maximum(layers.planes[:, :3] @ direction, 0) * lighting.directional + lighting.ambient
    shade = spread(facing, layers.surface)
    for patch in layers.patches:
        seen = layers.surface[patch.window] == patch.surface
        lit = np.tensordot(direction.astype(np.float32), patch.normals, axes=1)
        lit = np.maximum(lit, 0) * np.float32(lighting.directional) + np.float32(lighting.ambient)
        np.copyto(shade[patch.window], lit, where=seen)
    if lighting.lamp is not None:
        shade += _lamp_light(layers, depth, R @ lighting.lamp + t, lighting)
    return shade


def _lamp_light(
    layers: Layers, depth: NDArray[np.float32], lamp: NDArray[np.float64], lighting: Lighting
) -> NDArray[np.float32]:
    """Light of the near lamp: power * reach^2 * cosine / (distance^2 + reach^2), so that nothing glares."""
    x, y, z = (np.float32(value) for value in lamp)
    squared = np.square(depth * layers.x - x)
    squared += np.square(depth * layers.y[:, None] - y)
    squared += np.square(depth - z)
    # n . (lamp - point): on a plane, n . point is one number.
    towards = np.maximum(layers.planes[:, :3] @ lamp - layers.planes[:, 3], 0)
    facing = spread(towards, layers.surface)
    for patch in layers.patches:
        seen = layers.surface[patch.window] == patch.surface
        at_point = _along_rays(layers, patch.window, patch.normals) * depth[patch.window]
        lit = np.tensordot(lamp.astype(np.float32), patch.normals, axes=1) - at_point
        np.copyto(facing[patch.window], np.maximum(lit, 0), where=seen)
    reach = np.float32(lighting.lamp_reach**2)
    facing /= np.sqrt(squared) + np.float32(1e-6)
    squared += reach
    facing /= squared
    facing *= reach * np.float32(2 * lighting.lamp_power)
    return facing


def _paint_sky(image: NDArray[np.float32], scene: Scene, layers: Layers, T: NDArray[np.float64]) -> None:
    empty = layers.surface == NOTHING
    if not empty.any():
        return
    rows, columns = np.nonzero(empty)
    rays = np.stack([layers.x[columns], layers.y[rows], np.ones(len(rows), np.float32)])
    upwards = np.float32(T[:3, 2]) @ rays / np.sqrt(np.square(rays).sum(axis=0))
    horizon, zenith = scene.sky
    image[empty] = np.float32(horizon) + np.float32(zenith - horizon) * np.maximum(upwards, 0)


def _expose(image: NDArray[np.float32], layers: Layers, lighting: Lighting) -> None:
    """Vignette, exposure and gamma, in place; what is brighter than white is white."""
    if lighting.vignette > 0:
        squared = np.add.outer(np.square(layers.y), np.square(layers.x))
        squared *= np.float32(-lighting.vignette)
        squared += 1
        image *= np.maximum(squared, np.float32(0.2), out=squared)
    image *= np.float32(lighting.gain)
    np.clip(image, 0, 1, out=image)
    if lighting.gamma != 1:
        cv2.pow(image, lighting.gamma, image)
