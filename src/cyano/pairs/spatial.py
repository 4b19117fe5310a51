"""Each image with those taken nearby, and looking the same way if that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.pairs.checks import check_count, check_range, places_of
from cyano.pairs.listfile import Pair
from cyano.pairs.order import by_name, named_pairs, strongest

__all__ = ["spatial"]

_BLOCK = 1 << 22
"""Distances that are computed together: 32 MB in float64."""

_ROUNDING = 1e-9
"""Of a cosine: two directions exactly `max_angle` apart are still a pair."""


def spatial(
    positions: NDArray[np.float64],
    names: Sequence[str],
    *,
    max_distance: float | None = None,
    top_k: int | None = None,
    directions: NDArray[np.float64] | None = None,
    max_angle: float | None = None,
) -> list[Pair]:
    """Each image with the `top_k` nearest within `max_distance` whose views differ by at most `max_angle`.

    A pair that either image asks for is there once. Of equal distances the lower name comes first, so the
    result does not depend on the order of the images.

    Args:
        positions: (N, 2) or (N, 3) float64 in metres, or whatever `max_distance` is in; see `read_gps` and
            `read_poses`.
        names: of the N images, each once.
        max_distance: in the unit of the positions; None for no limit, then `top_k` is needed.
        top_k: how many images each image asks for; None for all within `max_distance`.
        directions: (N, 3) in which the images look, of any length but 0, in the frame of the positions.
        max_angle: in degrees, 0 to 180, between two directions; it and `directions` go together.

    Returns:
        The pairs in the order given, the earlier image first.

    Raises:
        InputError: a name occurs twice, an array does not fit the names or is not finite, or an option is
            missing or out of its range.

    Example:
        >>> positions = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
        >>> [(pair.name0, pair.name1) for pair in spatial(positions, ["a", "b", "c"], max_distance=2.0)]
        [('a', 'b')]
    """
    if top_k is None and max_distance is None:
        raise InputError("spatial pairs need a limit: give max_distance, top_k or both")
    check_count("top_k", 1 if top_k is None else top_k, 1)
    check_range("max_distance", max_distance, 0, float("inf"))
    check_range("max_angle", max_angle, 0, 180, " degrees")
    places_of(names)
    order = by_name(names)
    points = _rows("positions", positions, names)[order]
    views, least_cosine = _views(directions, max_angle, names)
    links = [np.empty((0, 2), np.int64)]
    step = max(1, _BLOCK // max(len(order), 1))
    for start in range(0, len(order), step):
        nearness = -_distances(points[start : start + step], points)
        if max_distance is not None:
            nearness[nearness < -max_distance] = -np.inf
        if views is not None:
            turned = views[order]
            nearness[_products(turned[start : start + step], turned) < least_cosine] = -np.inf
        for row, scores in enumerate(nearness, start):
            scores[row] = -np.inf
            found = order[strongest(scores, len(order) if top_k is None else top_k)]
            links.append(np.column_stack((np.full_like(found, order[row]), found)))
    return named_pairs(np.concatenate(links), names)


def _rows(what: str, values: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    """One finite row per image."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(names) or rows.shape[1] not in (2, 3):
        raise InputError(f"{what} of {len(names)} images are ({len(names)}, 2 or 3), not {rows.shape}")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(f"{what} of {names[bad[0]]!r} are not finite; leave images without any out")
    return rows


def _views(
    directions: NDArray[np.float64] | None, max_angle: float | None, names: Sequence[str]
) -> tuple[NDArray[np.float64] | None, float]:
    """Unit directions, if there are any, and the least cosine between two of a pair."""
    if (directions is None) != (max_angle is None):
        raise InputError("directions and max_angle go together; give both or none")
    if directions is None or max_angle is None:
        return None, -1.0
    rows = _rows("directions", directions, names)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise InputError(f"the direction of {names[int(np.argmin(lengths))]!r} is zero; leave the image out")
    return rows / lengths, math.cos(math.radians(max_angle)) - _ROUNDING


# Coordinate by coordinate rather than by a matrix product: exact in both directions of a pair and for equal points.


def _distances(some: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, N) Euclidean distances."""
    squares = np.zeros((len(some), len(points)))
    for axis in range(points.shape[1]):
        squares += np.subtract.outer(some[:, axis], points[:, axis]) ** 2
    return np.sqrt(squares, out=squares)


def _products(some: NDArray[np.float64], views: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, N) cosines between unit directions."""
    cosines = np.zeros((len(some), len(views)))
    for axis in range(views.shape[1]):
        cosines += np.multiply.outer(some[:, axis], views[:, axis])
    return cosines
