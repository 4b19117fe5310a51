"""Simple shapes with known corners: what a detector learns first (SuperPoint, arXiv:1712.07629, section 4).

Polygons, stars, lines, checkerboards, stripes and cubes have corners; ellipses and plain noise have none and teach
where not to fire. Everything is drawn at four times the size and reduced, so that edges are smooth and the position
of a corner is known to a fraction of a pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.types import ImageSize

__all__ = ["draw_shapes"]

_SUPER = 4
_SHIFT = 4
"""Fractional bits of OpenCV's drawing coordinates."""

_Image = NDArray[np.float32]
_Points = NDArray[np.float64]


def draw_shapes(size: ImageSize, rng: np.random.Generator) -> tuple[_Image, _Points]:
    """A random picture of shapes.

    Args:
        size: of the picture.
        rng: where all randomness comes from.

    Returns:
        The picture (H, W) float32 in [0, 1], and its corners (N, 2) float64 (x, y), N may be 0.
    """
    canvas = _background(size, rng)
    painters = (_polygons, _star, _lines, _checkerboard, _stripes, _cube, _ellipses, _noise)
    weights = np.array([3, 1.5, 1.5, 2.5, 1.5, 3, 1, 0.5])
    paint = painters[rng.choice(len(painters), p=weights / weights.sum())]
    corners = paint(canvas, rng)
    small = cv2.resize(canvas, (size.width, size.height), interpolation=cv2.INTER_AREA)
    points = (corners + 0.5) / _SUPER - 0.5
    inside = (points > 0).all(axis=1) & (points < (size.width - 1, size.height - 1)).all(axis=1)
    return np.clip(small, 0, 1).astype(np.float32), points[inside]


def _background(size: ImageSize, rng: np.random.Generator) -> _Image:
    """Smooth blobs around a grey value, at the drawing size."""
    shape = (size.height * _SUPER, size.width * _SUPER)
    coarse = rng.uniform(-1, 1, (rng.integers(2, 9), rng.integers(2, 9))).astype(np.float32)
    blobs = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(rng.uniform(0.1, 0.9) + rng.uniform(0, 0.15) * blobs, dtype=np.float32)


def _shade(canvas: _Image, at: _Points, rng: np.random.Generator) -> float:
    """A grey value that differs from what lies under the points."""
    x = np.clip(at[:, 0], 0, canvas.shape[1] - 1).astype(int)
    y = np.clip(at[:, 1], 0, canvas.shape[0] - 1).astype(int)
    under = canvas[y, x]
    candidates = rng.uniform(0, 1, 8)
    contrast = np.abs(candidates[:, None] - under).min(axis=1)
    return float(candidates[contrast.argmax() if contrast.max() < 0.15 else np.flatnonzero(contrast >= 0.15)[0]])


def _fill(canvas: _Image, polygon: _Points, shade: float) -> None:
    cv2.fillPoly(canvas, [np.rint(polygon * 2**_SHIFT).astype(np.int32)], shade, cv2.LINE_8, _SHIFT)


def _random_polygon(canvas: _Image, rng: np.random.Generator) -> _Points:
    """Vertices around a centre at sorted angles, none of them too flat to be a corner."""
    height, width = canvas.shape
    centre = rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
    radius = rng.uniform(0.1, 0.4) * min(height, width)
    for _ in range(20):
        count = int(rng.integers(3, 7))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        polygon = centre + (rng.uniform(0.5, 1, count) * radius)[:, None] * np.stack(
            [np.cos(angles), np.sin(angles)], axis=1
        )
        if _sharp(polygon):
            return np.asarray(polygon, dtype=np.float64)
    return np.asarray(centre + radius * np.array([[-0.7, 0.7], [0.7, 0.7], [0.0, -1.0]]), dtype=np.float64)


def _sharp(polygon: _Points) -> bool:
    """Whether all corners turn by 25 to 155 degrees and all edges are long enough."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.linalg.norm(edges, axis=1)
    if lengths.min() < 12 * _SUPER:
        return False
    directions = edges / lengths[:, None]
    cosines = (directions * np.roll(directions, 1, axis=0)).sum(axis=1)
    return bool((np.abs(cosines) < np.cos(np.radians(25))).all())


def _hidden(points: _Points, polygon: _Points) -> NDArray[np.bool_]:
    contour = polygon.astype(np.float32)
    return np.array(
        [cv2.pointPolygonTest(contour, (float(x), float(y)), True) > -3 * _SUPER for x, y in points], dtype=bool
    )


def _polygons(canvas: _Image, rng: np.random.Generator) -> _Points:
    corners = np.zeros((0, 2))
    for _ in range(rng.integers(1, 6)):
        polygon = _random_polygon(canvas, rng)
        corners = corners[~_hidden(corners, polygon)] if len(corners) else corners
        _fill(canvas, polygon, _shade(canvas, np.vstack([polygon, polygon.mean(axis=0)]), rng))
        corners = np.vstack([corners, polygon])
    return corners


def _star(canvas: _Image, rng: np.random.Generator) -> _Points:
    """Thick rays from a centre: the centre is the corner, and so are the ends."""
    height, width = canvas.shape
    centre = rng.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
    count = int(rng.integers(3, 7))
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * (np.arange(count) + rng.uniform(-0.25, 0.25, count)) / count
    lengths = rng.uniform(0.2, 0.5, count) * min(height, width)
    ends = centre + lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    thickness = int(rng.integers(2, 5)) * _SUPER
    shade = _shade(canvas, np.vstack([ends, centre]), rng)
    for end in ends:
        _line(canvas, centre, end, shade, thickness)
    return np.vstack([centre[None], ends])


def _line(canvas: _Image, start: _Points, end: _Points, shade: float, thickness: int) -> None:
    a, b = (tuple(int(v) for v in np.rint(p * 2**_SHIFT)) for p in (start, end))
    cv2.line(canvas, a, b, shade, thickness, cv2.LINE_8, _SHIFT)


def _lines(canvas: _Image, rng: np.random.Generator) -> _Points:
    height, width = canvas.shape
    ends = []
    for _ in range(rng.integers(1, 7)):
        start, end = rng.uniform((0, 0), (width, height), (2, 2))
        _line(canvas, start, end, _shade(canvas, np.stack([start, end]), rng), int(rng.integers(1, 5)) * _SUPER)
        ends += [start, end]
    return np.array(ends)


def _grid(canvas: _Image, rng: np.random.Generator, rows: int, columns: int) -> _Points:
    """(rows + 1, columns + 1, 2) vertices of a grid under a random perspective."""
    height, width = canvas.shape
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    angle, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.4) * min(height, width)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = ((corners - 0.5 + rng.uniform(-0.15, 0.15, (4, 2))) * scale) @ turn.T
    placed += rng.uniform((0.3 * width, 0.3 * height), (0.7 * width, 0.7 * height))
    H = cv2.getPerspectiveTransform(corners, placed.astype(np.float32))
    x = np.linspace(0, 1, columns + 1)
    y = np.linspace(0, 1, rows + 1)
    flat = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)
    return np.asarray(cv2.perspectiveTransform(flat, H).reshape(rows + 1, columns + 1, 2), dtype=np.float64)


def _checkerboard(canvas: _Image, rng: np.random.Generator) -> _Points:
    rows, columns = (int(n) for n in rng.integers(2, 8, 2))
    grid = _grid(canvas, rng, rows, columns)
    dark, light = sorted(rng.uniform(0, 1, 2))
    dark = min(dark, 0.8)
    light = max(light, dark + 0.2)
    for i, j in np.ndindex(rows, columns):
        quad = np.stack([grid[i, j], grid[i, j + 1], grid[i + 1, j + 1], grid[i + 1, j]])
        _fill(canvas, quad, (dark, light)[(i + j) % 2] + rng.uniform(-0.05, 0.05))
    return grid.reshape(-1, 2)


def _stripes(canvas: _Image, rng: np.random.Generator) -> _Points:
    columns = int(rng.integers(4, 13))
    grid = _grid(canvas, rng, 1, columns)
    shades = rng.uniform(0, 1, columns)
    for j in range(1, columns):
        if abs(shades[j] - shades[j - 1]) < 0.15:
            shades[j] = (shades[j] + 0.4) % 1
    for j in range(columns):
        _fill(canvas, np.stack([grid[0, j], grid[0, j + 1], grid[1, j + 1], grid[1, j]]), float(shades[j]))
    return grid.reshape(-1, 2)


def _cube(canvas: _Image, rng: np.random.Generator) -> _Points:
    """Three visible faces of a box in parallel projection; its seven visible vertices are corners."""
    height, width = canvas.shape
    size = rng.uniform(0.15, 0.4) * min(height, width)
    angles = rng.uniform(0, 2 * np.pi) + np.array([0, rng.uniform(1.6, 2.5), rng.uniform(3.8, 4.7)])
    axes = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (rng.uniform(0.6, 1.2, 3) * size)[:, None]
    corner = rng.uniform((0.3 * width, 0.3 * height), (0.7 * width, 0.7 * height))
    shade = rng.uniform(0.1, 0.9)
    for face, (i, j) in enumerate(((0, 1), (1, 2), (2, 0))):
        quad = corner + np.stack([0 * axes[0], axes[i], axes[i] + axes[j], axes[j]])
        _fill(canvas, quad, (shade + 0.27 * face) % 1)
    return np.asarray(corner + np.vstack([0 * axes[:1], axes, axes + np.roll(axes, -1, axis=0)]), dtype=np.float64)


def _ellipses(canvas: _Image, rng: np.random.Generator) -> _Points:
    height, width = canvas.shape
    for _ in range(rng.integers(1, 10)):
        centre = rng.uniform((0, 0), (width, height))
        axes = rng.uniform(0.04, 0.25, 2) * min(height, width)
        box = (tuple(centre), tuple(2 * axes), float(rng.uniform(0, 360)))
        cv2.ellipse(canvas, box, _shade(canvas, centre[None], rng), -1)
    return np.zeros((0, 2))


def _noise(canvas: _Image, rng: np.random.Generator) -> _Points:
    fine = rng.normal(0, rng.uniform(0.05, 0.25), canvas.shape).astype(np.float32)
    canvas += cv2.GaussianBlur(fine, (0, 0), rng.uniform(0.5, 3))
    return np.zeros((0, 2))
