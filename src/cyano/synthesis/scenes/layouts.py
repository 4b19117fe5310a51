"""Rooms, streets and groups of objects, laid out at random; metres, z up, the floor at 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from cyano.synthesis.scenes.solids import Builder, turned
from cyano.synthesis.scenes.surfaces import Bounds, Quad

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KINDS", "Layout", "SceneKind", "lay_out"]

SceneKind: TypeAlias = Literal["room", "street", "objects"]
"""What a scene looks like."""

KINDS: tuple[SceneKind, ...] = get_args(SceneKind)

# A renderer takes 255 surfaces. Once a street has enough, at most 14 buildings of five faces follow; once it is full,
# nothing does.
_ENOUGH, _FULL = 150, 240

Layout: TypeAlias = "tuple[Builder, Bounds, tuple[float, float]]"
"""What there is, where cameras stand, and the nearest and farthest that they stand from what they look at."""


def lay_out(kind: SceneKind, rng: np.random.Generator, textures: int) -> Layout:
    """A random scene of one kind.

    Args:
        kind: of scene.
        rng: the source of randomness.
        textures: number of textures to choose from.
    """
    makers = {"room": (_room, 3.0), "street": (_street, 7.0), "objects": (_objects, 2.5)}
    make, largest_tile = makers[kind]
    return make(Builder(rng, textures, largest_tile))


def _at(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _room(build: Builder) -> Layout:
    """Four walls with pictures, and furniture-like boxes, bins and balls on the floor."""
    rng = build.rng
    size = _at(rng.uniform(3.5, 9), rng.uniform(3.5, 9), rng.uniform(2.4, 3.6))
    build.shell(size)
    for _ in range(int(rng.integers(3, 10))):
        _hang(build, size)
    for _ in range(int(rng.integers(5, 14))):
        _furnish(build, size)
    margin = _at(0.4, 0.4, 0.0)
    stage = Bounds(_at(-size[0] / 2, -size[1] / 2, 0.6) + margin, _at(size[0] / 2, size[1] / 2, 2.1) - margin)
    return build, stage, (0.8, 6.0)


def _hang(build: Builder, size: NDArray[np.float64]) -> None:
    """A picture, door or cupboard front on one of the walls, 1 to 6 cm before it."""
    rng = build.rng
    side = int(rng.integers(4))
    along, across = (size[0], size[1]) if side % 2 == 0 else (size[1], size[0])
    inward = turned(side * math.pi / 2)
    width, height = rng.uniform(0.4, 1.6), rng.uniform(0.4, 1.3)
    position = rng.uniform(-0.5, 0.5) * (along - width)
    bottom = rng.uniform(0.5, max(0.6, size[2] - height - 0.1))
    corner = position - width / 2, across / 2 - rng.uniform(0.01, 0.06), min(bottom, size[2] - height - 0.05)
    quad = Quad(_at(*corner) @ inward, width * inward[0], height * inward[2], build.coat(max(width, height)))
    build.surfaces.append(quad)
    build.interests.append(quad.corner + 0.5 * (quad.edge_u + quad.edge_v))


def _furnish(build: Builder, size: NDArray[np.float64]) -> None:
    """A cupboard, table, bin or ball on the floor, often along a wall, sometimes with a smaller thing on it."""
    rng = build.rng
    angle = rng.uniform(0, 2 * math.pi) if rng.random() < 0.3 else math.pi / 2 * rng.integers(4)
    floor = _at(*(rng.uniform(-0.5, 0.5, 2) * (size[:2] - 1.2)), 0.0)
    if rng.random() < 0.5:  # push it to a wall
        axis = int(rng.integers(2))
        floor[axis] = math.copysign(size[axis] / 2 - 0.5, floor[axis])
    if not build.is_free(floor, 0.4):
        return
    kind = rng.random()
    if kind < 0.7:
        extent = _at(rng.uniform(0.4, 1.5), rng.uniform(0.35, 0.8), rng.uniform(0.35, 1.6))
        build.box(floor, extent, turned(angle))
        if rng.random() < 0.6:
            _put_on(build, floor + _at(0, 0, extent[2]), float(extent[:2].min()))
    elif kind < 0.88:
        build.drum(floor, rng.uniform(0.15, 0.4), rng.uniform(0.3, 1.2), turned(angle))
    else:
        radius = rng.uniform(0.2, 0.45)
        build.ball(floor + _at(0, 0, radius), radius)


def _put_on(build: Builder, top: NDArray[np.float64], room: float) -> None:
    """A small thing on a flat top that has `room` metres each way."""
    rng = build.rng
    kind = rng.random()
    if kind < 0.5:
        extent = _at(*rng.uniform(0.3, 0.8, 2), rng.uniform(0.4, 1.2)) * room
        build.box(top, extent, turned(rng.uniform(0, 2 * math.pi)))
    elif kind < 0.8:
        build.drum(top, rng.uniform(0.15, 0.35) * room, rng.uniform(0.3, 0.9) * room, turned(rng.uniform(0, 6)))
    else:
        radius = rng.uniform(0.2, 0.4) * room
        build.ball(top + _at(0, 0, radius), radius)


def _street(build: Builder) -> Layout:
    """Facades along both sides of a road, things in front of them, and something far away at each end."""
    rng = build.rng
    half, length = rng.uniform(4, 9), rng.uniform(30, 70)
    far = length * rng.uniform(0.8, 1.6)
    ground = Quad(
        _at(-far, -far, 0), _at(2 * far, 0, 0), _at(0, 2 * far, 0), build.coat(rng.uniform(4, 8)), False, True
    )
    build.surfaces.append(ground)
    for side in (-1, 1):
        _terrace(build, side, half, length)
        backdrop = rng.uniform(8, 30)
        corner = _at(side * far, side * far, 0)
        build.surfaces.append(Quad(corner, _at(0, -2 * side * far, 0), _at(0, 0, backdrop), build.coat(0.6 * backdrop)))
    for _ in range(int(rng.integers(6, 16))):
        _street_thing(build, half, length)
    stage = Bounds(_at(-length / 2 + 4, -half + 1, 1.0), _at(length / 2 - 4, half - 1, 3.0))
    return build, stage, (3.0, 22.0)


def _terrace(build: Builder, side: int, half: float, length: float) -> None:
    """A row of buildings of different heights and setbacks; signs and doors a little before their fronts."""
    rng = build.rng
    start = -length / 2
    while start < length / 2:
        width, height, depth = rng.uniform(5, 14), rng.uniform(4, 16), 6.0
        setback = rng.uniform(0, 1.5) if rng.random() < 0.6 else 0.0
        middle = start + width / 2
        front = half + setback
        build.box(_at(middle, side * (front + depth / 2), 0), _at(width, depth, height), np.eye(3))
        build.interests[-1] = _at(middle, side * front, min(height / 2, 3.0))
        signs = int(rng.integers(0, 4)) if len(build.surfaces) < _ENOUGH else 0
        for _ in range(signs):
            wide, high = rng.uniform(0.8, 2.5), rng.uniform(0.8, 2.5)
            x, z = start + rng.uniform(0, width - wide), rng.uniform(0, max(height - high, 0.1) * 0.6)
            corner = _at(x, side * (front - rng.uniform(0.05, 0.25)), z)
            build.surfaces.append(Quad(corner, _at(wide, 0, 0), _at(0, 0, high), build.coat(max(wide, high))))
            build.interests.append(corner + _at(wide / 2, 0, high / 2))
        start += width + (rng.uniform(1, 4) if rng.random() < 0.25 else 0.0)


def _street_thing(build: Builder, half: float, length: float) -> None:
    """A car-sized box, a crate, a column, an advertising drum or a board on the pavement."""
    rng = build.rng
    side = rng.choice([-1.0, 1.0])
    floor = _at(rng.uniform(-0.45, 0.45) * length, side * (half - rng.uniform(1.2, 2.4)), 0)
    if not build.is_free(floor, 0.7) or len(build.surfaces) > _FULL:
        return
    kind = rng.random()
    if kind < 0.4:
        extent = _at(rng.uniform(3, 4.8), rng.uniform(1.5, 1.9), rng.uniform(1.2, 1.9))
        build.box(floor, extent, turned(rng.normal(0, 0.06)))
    elif kind < 0.6:
        build.box(floor, rng.uniform(0.6, 1.6, 3), turned(rng.uniform(0, 6)))
    elif kind < 0.85:
        build.drum(floor, rng.uniform(0.3, 0.8), rng.uniform(1.0, 4.0), turned(rng.uniform(0, 6)))
    else:
        extent = _at(rng.uniform(0.8, 2.2), rng.uniform(0.08, 0.2), rng.uniform(1.0, 2.2))
        build.box(floor, extent, turned(rng.uniform(0, 6)))


def _objects(build: Builder) -> Layout:
    """A few boxes, drums, balls and leaning boards close together on a floor, walls behind."""
    rng = build.rng
    size = _at(rng.uniform(4, 8), rng.uniform(4, 8), rng.uniform(2.6, 4))
    build.shell(size)
    build.interests.clear()
    spread = rng.uniform(0.5, 1.0)
    for _ in range(int(rng.integers(8, 20))):
        floor = _at(*(rng.normal(0, 0.6, 2) * spread), 0.0)
        if not build.is_free(floor, 0.25):
            continue
        kind, axes = rng.random(), turned(rng.uniform(0, 2 * math.pi))
        if kind < 0.4:
            extent = rng.uniform(0.2, 0.75, 3)
            build.box(floor, extent, axes)
            if rng.random() < 0.5:
                _put_on(build, floor + _at(0, 0, extent[2]), float(extent[:2].min()))
        elif kind < 0.6:
            build.drum(floor, rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.8), axes)
        elif kind < 0.75:
            radius = rng.uniform(0.15, 0.4)
            build.ball(floor + _at(0, 0, radius), radius)
        else:
            _lean(build, floor, axes)
    stage = Bounds(_at(-size[0] / 2 + 0.3, -size[1] / 2 + 0.3, 0.3), _at(size[0] / 2 - 0.3, size[1] / 2 - 0.3, 2.2))
    return build, stage, (0.9, 3.0)


def _lean(build: Builder, floor: NDArray[np.float64], axes: NDArray[np.float64]) -> None:
    """A board that leans backwards, its lower side on the floor."""
    rng = build.rng
    lean = rng.uniform(0, math.radians(50))
    upwards = math.cos(lean) * axes[2] + math.sin(lean) * axes[1]
    leaning = np.stack([axes[0], np.cross(upwards, axes[0]), upwards])
    build.box(floor, _at(rng.uniform(0.3, 0.9), rng.uniform(0.03, 0.08), rng.uniform(0.3, 0.9)), leaning)
