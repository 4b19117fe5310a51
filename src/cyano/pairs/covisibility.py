"""Each image with those that see most of the same points of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.pairs.checks import check_count, places_of
from cyano.pairs.listfile import Pair
from cyano.pairs.order import by_name, named_pairs, strongest

__all__ = ["covisible"]


def covisible(
    seen: Sequence[NDArray[np.int64]], names: Sequence[str], *, top_k: int = 20, least: int = 8
) -> list[Pair]:
    """Each image with the `top_k` that share most points with it; a pair that either image asks for is there once.

    Of equal counts the lower name comes first, so the result does not depend on the order of the images.

    Args:
        seen: (N,) the points that each image sees, numbers of at least 0; what is negative is none.
        names: of the images, each once.
        top_k: how many images each image asks for.
        least: points that two images of a pair share.

    Returns:
        The pairs in the order given, the earlier image first.

    Raises:
        InputError: a name occurs twice, there is another number of names, or an option is out of its range.

    Example:
        >>> seen = [np.array([0, 1, 2]), np.array([1, 2]), np.array([7])]
        >>> [(pair.name0, pair.name1) for pair in covisible(seen, ["a", "b", "c"], least=2)]
        [('a', 'b')]
    """
    check_count("top_k", top_k, 1)
    check_count("least", least, 1)
    places_of(names)
    if len(seen) != len(names):
        raise InputError(f"{len(names)} images need the points that each of them sees, not {len(seen)} lists of points")
    order = by_name(names)
    rows = [np.unique(seen[place][seen[place] >= 0]) for place in order]
    images = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    points = np.concatenate([np.empty(0, np.int64), *rows])
    along = np.argsort(points, kind="stable")
    images, starts = images[along], np.searchsorted(points[along], np.arange(points.max(initial=-1) + 2))
    links = [np.empty((0, 2), np.int64)]
    for place, own in enumerate(rows):
        counts = np.bincount(_joined(images, starts[own], starts[own + 1]), minlength=len(rows)).astype(np.float64)
        counts[place] = 0
        counts[counts < least] = -np.inf
        found = strongest(counts, top_k)
        links.append(np.column_stack((np.full_like(found, order[place]), order[found])))
    return named_pairs(np.concatenate(links), names)


def _joined(values: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values of all ranges [start, end), one after the other."""
    lengths = ends - starts
    offsets = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    joined: NDArray[np.int64] = values[offsets + np.arange(lengths.sum())]
    return joined
