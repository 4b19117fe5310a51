"""Images of a sequence with those that follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cyano.errors import InputError
from cyano.pairs.checks import check_count, places_of
from cyano.pairs.listfile import Pair
from cyano.pairs.order import named_pairs, natural_order

__all__ = ["sequential"]


def sequential(
    names: Sequence[str],
    window: int = 10,
    *,
    quadratic: bool = False,
    natural: bool = True,
    loop: Iterable[Pair] = (),
) -> list[Pair]:
    """Each image with the next `window` ones.

    Args:
        names: names of the images, each once.
        window: how many of the following images each image is paired with.
        quadratic: also with those 1, 2, 4, ... 2^(window - 1) images on, which holds a long sequence together.
        natural: whether the sequence is the natural order of the names (`img2` before `img10`), or the
            order given.
        loop: pairs to add for the places where the sequence comes back to where it was, such as
            `retrieval(descriptors, names, every=10, exclude_within=window)`.

    Returns:
        The pairs in the order of the sequence, the earlier image first, each once.

    Raises:
        InputError: a name occurs twice, the window is empty, or a loop pair names another image or one twice.

    Example:
        >>> [(pair.name0, pair.name1) for pair in sequential(["img1", "img2", "img10"], window=1)]
        [('img1', 'img2'), ('img2', 'img10')]
    """
    check_count("window", window, 1)
    ordered = natural_order(names) if natural else list(names)
    places = places_of(ordered)
    count = len(ordered)
    steps = set(range(1, min(window, count - 1) + 1))
    if quadratic:
        steps.update(2**power for power in range(window) if 2**power < count)
    links = [np.column_stack((np.arange(count - step), np.arange(step, count))) for step in sorted(steps)]
    links += [np.array([_closing(pair, places)]) for pair in loop]
    return named_pairs(np.concatenate([np.empty((0, 2), np.int64), *links]), ordered)


def _closing(pair: Pair, places: dict[str, int]) -> tuple[int, int]:
    """The positions of a loop pair's images."""
    for name in (pair.name0, pair.name1):
        if name not in places:
            raise InputError(f"the loop pair {pair.name0} {pair.name1} has {name!r}, which is not among the images")
    if pair.name0 == pair.name1:
        raise InputError(f"a loop pair is two images, not {pair.name0!r} with itself")
    return places[pair.name0], places[pair.name1]
