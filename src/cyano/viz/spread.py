"""Which matches a picture shows where there are too many, and in which order they are painted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["paint_order", "spread"]


def spread(
    points: NDArray[np.floating],
    size: tuple[int, int],
    limit: int,
    scores: NDArray[np.floating] | None,
    groups: NDArray[np.intp],
) -> NDArray[np.intp]:
    """At most `limit` of K points, spread over the image.

    Each group gets its share of the limit. Within it, about as many grid cells as points are wanted give their best
    point first, then their second best, and so on, so that a crowded corner does not take all.

    Args:
        points: (K, 2) positions (x, y) in pixels.
        size: (height, width) of the image.
        limit: how many to choose.
        scores: (K,) of which the higher are preferred; None prefers the earlier points.
        groups: (K,) numbers from 0.

    Returns:
        (L,) indices in ascending order, L = min(K, limit).
    """
    if len(points) <= limit:
        return np.arange(len(points))
    preference = np.zeros(len(points)) if scores is None else -scores
    chosen = [np.zeros(0, np.intp)]
    for group, quota in enumerate(_quotas(np.bincount(groups), limit)):
        members = np.flatnonzero(groups == group)
        cells = _cells(points[members], size, int(quota))
        best_first = np.lexsort((preference[members], cells))  # stable: among equals the earlier is preferred
        ranks = np.empty(len(members), np.intp)
        ranks[best_first] = _running_count(cells[best_first])
        order = np.lexsort((preference[members], ranks))
        chosen.append(members[order[: int(quota)]])
    return np.sort(np.concatenate(chosen))


def paint_order(scores: NDArray[np.floating] | None, groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The order of painting K matches: the smallest group last, on top, and in each group the highest score.

    Args:
        scores: (K,), or None.
        groups: (K,) numbers from 0.
    """
    sizes = np.bincount(groups)[groups] if len(groups) else groups
    return np.lexsort((np.zeros(len(groups)) if scores is None else scores, -sizes))


def _quotas(counts: NDArray[np.intp], limit: int) -> NDArray[np.intp]:
    """The limit in proportion to the counts, by largest remainders."""
    exact = limit * counts / counts.sum()
    quotas: NDArray[np.intp] = np.floor(exact).astype(np.intp)
    most_wanting = np.argsort(quotas - exact, kind="stable")
    quotas[most_wanting[: limit - int(quotas.sum())]] += 1
    return quotas


def _cells(points: NDArray[np.floating], size: tuple[int, int], count: int) -> NDArray[np.intp]:
    """The number of the grid cell of each point, with about `count` square cells over the image."""
    height, width = size
    side = math.sqrt(height * width / max(count, 1))
    columns, rows = max(1, round(width / side)), max(1, round(height / side))
    column = np.clip(points[:, 0] * columns // width, 0, columns - 1)
    row = np.clip(points[:, 1] * rows // height, 0, rows - 1)
    return np.asarray(row * columns + column, dtype=np.intp)


def _running_count(values: NDArray[np.intp]) -> NDArray[np.intp]:
    """For sorted values: how many equal ones stand before each."""
    starts = np.searchsorted(values, values, side="left")
    return np.arange(len(values)) - starts
