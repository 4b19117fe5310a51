"""Turn what the caller passes into float64 arrays of the right shape, or say what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cyano.errors import InputError
from cyano.reading import reason_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["finite_array", "matched_points", "numbers_of", "points_2d"]


def finite_array(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """A float64 array of exactly this shape with finite values only.

    Raises:
        InputError: other shape, not numbers, or NaN or infinity among them.
    """
    return _finite(numbers_of(values, name, shape), name)


def points_2d(points: ArrayLike, name: str = "points") -> NDArray[np.float64]:
    """(N, 2) float64 points with finite values only; N may be 0.

    Raises:
        InputError: other shape, not numbers, or NaN or infinity among them.
    """
    array = numbers_of(points, name)
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


def numbers_of(values: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """A float64 array of at least one dimension: of lists, arrays, and tensors of any device, with gradients or not.

    Args:
        values: real numbers; NaN and infinity may be among them.
        name: of the values, for the message.
        shape: what the array has to have; None for any.

    Raises:
        InputError: these are not real numbers, or of another shape.
    """
    try:
        given: Any = values
        if hasattr(given, "detach"):
            given = given.detach().cpu()
            given = given.double() if given.is_floating_point() else given  # bfloat16 is none of numpy's
        array = np.asarray(given)
        if array.dtype.kind in "cOSUVmM":
            raise TypeError(f"not of {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} must be an array of numbers: {reason_of(error)}") from error
    if array.ndim == 0 or (shape is not None and array.shape != shape):
        raise InputError(f"{name} must have shape {shape or '(..., D)'}, not {array.shape}")
    return array


def _finite(array: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if not np.isfinite(array).all():
        raise InputError(f"{name} contains NaN or infinity: remove those rows first")
    return array
