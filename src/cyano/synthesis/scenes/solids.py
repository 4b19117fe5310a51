"""Boxes, drums, balls and panels, put together from surfaces; metres, z up."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cyano.synthesis.scenes.surfaces import Bounds, Coat, Cylinder, Quad, Sphere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.synthesis.scenes.surfaces import Surface

__all__ = ["Builder", "turned"]


def turned(angle: float) -> NDArray[np.float64]:
    """(3, 3) orthonormal rows: the world's axes turned about the vertical by an angle in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([(cosine, sine, 0.0), (-sine, cosine, 0.0), (0.0, 0.0, 1.0)])


@dataclass(eq=False)
class Builder:
    """Collects what a scene is made of.

    Attributes:
        rng: the source of randomness.
        textures: number of textures in the atlas.
        largest_tile: metres that a texture covers at most, so that it stays sharp from where cameras stand.
        surfaces: so far.
        obstacles: boxes around the solids so far.
        interests: (3,) points worth looking at so far.
    """

    rng: np.random.Generator
    textures: int
    largest_tile: float
    surfaces: list[Surface] = field(default_factory=list)
    obstacles: list[Bounds] = field(default_factory=list)
    interests: list[NDArray[np.float64]] = field(default_factory=list)

    def coat(self, extent: float) -> Coat:
        """A random texture that covers something of so many metres once, or up to about twice."""
        extent = min(extent, self.largest_tile)
        times = 1.0 if self.rng.random() < 0.5 else float(self.rng.uniform(1.0, 2.2))
        return Coat(int(self.rng.integers(self.textures)), extent / times)

    def is_free(self, place: NDArray[np.float64], reach: float) -> bool:
        """Whether a solid of so many metres about a place on the floor would run into none that is there."""
        low, high = place - reach, place + reach
        return not any(
            np.all(low[:2] < other.high[:2]) and np.all(high[:2] > other.low[:2]) for other in self.obstacles
        )

    def shell(self, size: NDArray[np.float64]) -> None:
        """The inside of a box with its floor about the origin; `size` is (width, depth, height)."""
        low, high = np.array([-size[0] / 2, -size[1] / 2, 0.0]), np.array([size[0] / 2, size[1] / 2, size[2]])
        x, y, z = np.diag(high - low)
        for corner, edge_u, edge_v in ((low, x, y), (high, -y, -x)):
            self.wall(corner, edge_u, edge_v, 1)
        for corner, edge_u, edge_v in ((low, z, x), (low, y, z), (high, -x, -z), (high, -z, -y)):
            self.wall(corner, edge_u, edge_v, int(self.rng.integers(1, 4)))

    def wall(
        self, corner: NDArray[np.float64], edge_u: NDArray[np.float64], edge_v: NDArray[np.float64], strips: int
    ) -> None:
        """A one-sided rectangle of upright strips, each with its own texture; `edge_u x edge_v` faces the viewer."""
        across_u = abs(edge_v[2]) > abs(edge_u[2])
        across = edge_u if across_u else edge_v
        cuts = np.concatenate([[0.0], np.sort(self.rng.uniform(0.2, 0.8, strips - 1)), [1.0]])
        for start, stop in itertools.pairwise(cuts):
            strip = (stop - start) * across
            side_u, side_v = (strip, edge_v) if across_u else (edge_u, strip)
            extent = max(float(np.linalg.norm(side_u)), float(np.linalg.norm(side_v)))
            place = corner + start * across
            self.surfaces.append(Quad(place, side_u, side_v, self.coat(extent), is_closed=True))
            self.interests.append(place + 0.5 * (side_u + side_v))

    def box(self, base: NDArray[np.float64], size: NDArray[np.float64], axes: NDArray[np.float64]) -> None:
        """A solid of `size` (3,) along `axes`, the centre of its lower face at `base`; that face is not drawn."""
        x, y, z = axes * size[:, None]
        low = base - 0.5 * x - 0.5 * y
        high = low + x + y + z
        same = self.coat(float(size.max()))
        for corner, edge_u, edge_v in ((low, x, z), (low, z, y), (high, -x, -y), (high, -z, -x), (high, -y, -z)):
            extent = max(float(np.linalg.norm(edge_u)), float(np.linalg.norm(edge_v)))
            coat = same if self.rng.random() < 0.4 else self.coat(extent)
            self.surfaces.append(Quad(corner, edge_u, edge_v, coat, is_closed=True))
        reach = 0.5 * np.abs(axes * size[:, None]).sum(axis=0)
        middle = base + 0.5 * z
        self._solid(Bounds(middle - reach, middle + reach))

    def drum(self, base: NDArray[np.float64], radius: float, height: float, axes: NDArray[np.float64]) -> None:
        """A cylinder with both ends, along the third of `axes`."""
        coat = self.coat(max(height, 3 * radius))
        self.surfaces.append(Cylinder(base, radius, height, axes, coat))
        x, y, z = axes[0] * 2 * radius, axes[1] * 2 * radius, axes[2] * height
        lid = self.coat(2 * radius)
        self.surfaces.append(Quad(base - 0.5 * (x + y) + z, x, y, lid, is_round=True, is_closed=True))
        self.surfaces.append(Quad(base - 0.5 * (x + y), y, x, lid, is_round=True, is_closed=True))
        reach = 0.5 * np.abs(np.stack([x, y, z])).sum(axis=0)
        middle = base + 0.5 * z
        self._solid(Bounds(middle - reach, middle + reach))

    def ball(self, centre: NDArray[np.float64], radius: float) -> None:
        """A sphere whose texture is squeezed only about a point near its bottom."""
        up = np.array([0.0, 0.0, 1.0]) + self.rng.uniform(-0.6, 0.6, 3)
        up /= np.linalg.norm(up)
        side = np.cross(up, [np.cos(1.0), np.sin(1.0), 0.0])
        side /= np.linalg.norm(side)
        self.surfaces.append(Sphere(centre, radius, np.stack([side, np.cross(up, side), up]), self.coat(3 * radius)))
        self._solid(Bounds(centre - radius, centre + radius))

    def _solid(self, bounds: Bounds) -> None:
        self.obstacles.append(bounds)
        self.interests.append((bounds.low + bounds.high) / 2)
