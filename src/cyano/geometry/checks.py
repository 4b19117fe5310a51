"""Turn what the caller passes into float64 arrays of the right shape, or say what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["finite_array", "matched_points", "points_2d"]


def finite_array(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """A float64 array of exactly this shape with finite values only.

    Raises:
        InputError: other shape, not numbers, or NaN or infinity among them.
    """
    array = _float64(values, name)
    if array.shape != shape:
        raise InputError(f"{name} must have shape {shape}, not {array.shape}")
    return _finite(array, name)


def points_2d(points: ArrayLike, name: str = "points") -> NDArray[np.float64]:
    """(N, 2) float64 points with finite values only; N may be 0.

    Raises:
        InputError: other shape, not numbers, or NaN or infinity among them.
    """
    array = _float64(points, name)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"{name} must have shape (N, 2), one (x, y) per row, not {array.shape}")
    return _finite(array, name)


def matched_points(points0: ArrayLike, points1: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two (K, 2) float64 arrays whose rows belong together; K may be 0.

    Raises:
        InputError: as `points_2d`, or the two have different lengths.
    """
    first, second = points_2d(points0, "points0"), points_2d(points1, "points1")
    if len(first) != len(second):
        raise InputError(f"points0 and points1 must have one row per match, not {len(first)} and {len(second)} rows")
    return first, second


def _float64(values: ArrayLike, name: str) -> NDArray[np.float64]:
    if hasattr(values, "detach"):  # a tensor, of whichever device, with gradients or without
        values = values.detach().cpu().double()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from error


def _finite(array: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if not np.isfinite(array).all():
        raise InputError(f"{name} contains NaN or infinity: remove those rows first")
    return array
