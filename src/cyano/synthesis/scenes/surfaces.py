"""What scenes are made of: flat, spherical and cylindrical surfaces, each with a texture on it.

World frame: metres, z up, right-handed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Bounds", "Coat", "Cylinder", "Quad", "Sphere", "Surface"]


@dataclass(frozen=True)
class Coat:
    """The texture of a surface; it is repeated by mirroring, so that no seam shows.

    Attributes:
        texture: index into the scene's atlas.
        tile: side in metres that one (square) texture covers.
    """

    texture: int
    tile: float


@dataclass(frozen=True, eq=False)
class Quad:
    """A rectangle, or the ellipse inside it.

    Attributes:
        corner: (3,) where both texture coordinates are 0.
        edge_u: (3,) from the corner along the first side, in metres.
        edge_v: (3,) along the second side, perpendicular to the first.
        coat: its texture.
        is_round: only the ellipse that touches the four sides.
        is_closed: part of a closed solid (or of the shell around the scene): its back, where `edge_u x edge_v`
            points away from the eye, is never drawn.
    """

    corner: NDArray[np.float64]
    edge_u: NDArray[np.float64]
    edge_v: NDArray[np.float64]
    coat: Coat
    is_round: bool = False
    is_closed: bool = False


@dataclass(frozen=True, eq=False)
class Sphere:
    """A sphere, seen from outside.

    The texture is laid on by Lambert's equal-area projection around the third axis; it is squeezed only about
    the opposite pole, which belongs where no camera looks.

    Attributes:
        centre: (3,) in metres.
        radius: in metres.
        axes: (3, 3) orthonormal rows.
        coat: its texture.
    """

    centre: NDArray[np.float64]
    radius: float
    axes: NDArray[np.float64]
    coat: Coat


@dataclass(frozen=True, eq=False)
class Cylinder:
    """The mantle of a circular cylinder, seen from outside; the ends are round quads.

    Attributes:
        base: (3,) centre of the lower end, in metres.
        radius: in metres.
        height: along the third axis, in metres.
        axes: (3, 3) orthonormal rows; the texture's seam lies opposite the first.
        coat: its texture.
    """

    base: NDArray[np.float64]
    radius: float
    height: float
    axes: NDArray[np.float64]
    coat: Coat


Surface: TypeAlias = Quad | Sphere | Cylinder


@dataclass(frozen=True, eq=False)
class Bounds:
    """A box along the world's axes, in metres.

    Attributes:
        low: (3,) smallest coordinates.
        high: (3,) largest coordinates.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def contains(self, point: NDArray[np.float64], margin: float = 0.0) -> bool:
        """Whether a (3,) point lies inside, or no further than `margin` outside along each axis."""
        return bool(np.all(point >= self.low - margin) and np.all(point <= self.high + margin))
