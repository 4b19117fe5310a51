"""Every image with every other one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from cyano.pairs.checks import places_of
from cyano.pairs.listfile import Pair

__all__ = ["exhaustive"]


def exhaustive(names: Sequence[str]) -> list[Pair]:
    """All pairs (i, j) with i < j in the order given: first image 0 with all others, then image 1, and so on.

    Args:
        names: names of the images, each once.

    Returns:
        len(names) * (len(names) - 1) / 2 pairs, none for fewer than two names.

    Raises:
        InputError: a name occurs twice.

    Example:
        >>> [(pair.name0, pair.name1) for pair in exhaustive(["a", "b", "c"])]
        [('a', 'b'), ('a', 'c'), ('b', 'c')]
    """
    places_of(names)
    return [Pair(name0, name1) for name0, name1 in combinations(names, 2)]
