"""Each image with those that look most like it, by the cosine of their global descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.pairs.checks import check_count, check_range, places_of
from cyano.pairs.listfile import Pair
from cyano.pairs.order import by_name, named_pairs, strongest

__all__ = ["retrieval"]

_BLOCK = 1 << 24
"""Values of one block of scores or descriptors: 64 MB in float32."""

_MOST_ROWS = 1024
"""Images that ask together: enough for a matrix product to run at its full speed."""

_DECIMALS = 6
"""Cosines that agree to so many decimals are equal: what is left is float32's rounding, which must not decide."""


def retrieval(
    descriptors: NDArray[np.floating[Any]],
    names: Sequence[str],
    top_k: int = 20,
    *,
    min_score: float | None = None,
    every: int = 1,
    exclude_within: int = 0,
) -> list[Pair]:
    """Each image with the `top_k` most similar ones; a pair that either image asks for is there once.

    Of equal similarities the lower name comes first, so the result does not depend on the order of the
    images. Images without a descriptor (all zero) are in no pair.

    Args:
        descriptors: (N, G) global descriptors, any float type, of any length: they are compared by their
            directions. Beside them, about 0.2 GB of memory are used however many there are.
        names: of the N images, each once.
        top_k: how many images each image asks for.
        min_score: least cosine, -1 to 1; None for no limit.
        every: one image out of so many asks, in the order given and from the first on; all can be found.
        exclude_within: images at most so many places apart in the order given are no pair.

    Returns:
        The pairs in the order given, the earlier image first.

    Raises:
        InputError: a name occurs twice, the descriptors are not as many as the names or not finite, or an
            option is out of its range.

    Example:
        >>> descriptors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> [(pair.name0, pair.name1) for pair in retrieval(descriptors, ["a", "b", "c"], min_score=0.5)]
        [('a', 'b')]
    """
    _check(top_k, min_score, every, exclude_within)
    places_of(names)
    if descriptors.ndim != 2 or len(descriptors) != len(names):
        raise InputError(f"global descriptors of {len(names)} images are ({len(names)}, G), not {descriptors.shape}")
    order = by_name(names)
    lengths = _lengths(descriptors, order, names)
    described = lengths > 0
    asking = np.flatnonzero(described & (order % every == 0))
    links = [np.empty((0, 2), np.int64)]
    step = max(1, min(_MOST_ROWS, _BLOCK // max(len(order), 1)))
    for start in range(0, len(asking), step):
        rows = asking[start : start + step]
        for row, scores in zip(rows, _cosines(descriptors, order, lengths, rows), strict=True):
            scores[~described | (np.abs(order - order[row]) <= exclude_within)] = -np.inf
            if min_score is not None:
                scores[scores < min_score] = -np.inf
            found = order[strongest(scores, top_k)]
            links.append(np.column_stack((np.full_like(found, order[row]), found)))
    return named_pairs(np.concatenate(links), names)


def _check(top_k: int, min_score: float | None, every: int, exclude_within: int) -> None:
    check_count("top_k", top_k, 1)
    check_range("min_score", min_score, -1, 1)
    check_count("every", every, 1)
    check_count("exclude_within", exclude_within, 0)


def _width(descriptors: NDArray[np.floating[Any]]) -> int:
    """How many descriptors make a block."""
    return max(1, _BLOCK // max(int(descriptors.shape[1]), 1))


def _lengths(
    descriptors: NDArray[np.floating[Any]], order: NDArray[np.int64], names: Sequence[str]
) -> NDArray[np.float32]:
    """(N,) lengths of the descriptors in the order of the names."""
    lengths = np.empty(len(order), np.float32)
    width = _width(descriptors)
    for start in range(0, len(order), width):
        block = descriptors[order[start : start + width]].astype(np.float32, copy=False)
        lengths[start : start + width] = np.sqrt(np.einsum("ng,ng->n", block, block))
    bad = np.flatnonzero(~np.isfinite(lengths))
    if len(bad):
        raise InputError(
            f"the global descriptor of {names[order[bad[0]]]!r} holds values that are not finite or too large; "
            "compute it again"
        )
    return lengths


def _cosines(
    descriptors: NDArray[np.floating[Any]],
    order: NDArray[np.int64],
    lengths: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """(R, N) cosines of some rows of the order with all of them; 0 where one of two has no direction."""
    scores = np.empty((len(rows), len(order)), np.float32)
    asked = _unit(descriptors[order[rows]], lengths[rows])
    width = _width(descriptors)
    for start in range(0, len(order), width):
        part = slice(start, start + width)
        scores[:, part] = asked @ _unit(descriptors[order[part]], lengths[part]).T
    return np.round(scores, _DECIMALS, out=scores)


def _unit(block: NDArray[np.floating[Any]], lengths: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of a block at unit length; rows of length 0 stay."""
    unit = np.zeros(block.shape, np.float32)
    np.divide(block, lengths[:, None], out=unit, where=lengths[:, None] > 0, casting="same_kind")
    return unit
