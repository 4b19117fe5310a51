"""The order of images, and the one order that selected pairs come in."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cyano.pairs.listfile import Pair

__all__ = ["by_name", "named_pairs", "natural_order", "strongest"]

_DIGITS = re.compile(r"([0-9]+)")


def natural_order(names: Sequence[str]) -> list[str]:
    """The names in the order that people count: `img2` before `img10`; equal numbers (`2`, `02`) as texts.

    Example:
        >>> natural_order(["img10.jpg", "img2.jpg", "img1.jpg"])
        ['img1.jpg', 'img2.jpg', 'img10.jpg']
    """
    return sorted(names, key=_natural_key)


def _natural_key(name: str) -> tuple[list[tuple[str, int, str]], str]:
    """Text and number in turns; a number is compared by its count of digits first, so it may have any length."""
    parts = _DIGITS.split(name)
    numbers = [digits.lstrip("0") for digits in parts[1::2]] + [""]
    return [(text, len(digits), digits) for text, digits in zip(parts[::2], numbers, strict=True)], name


def by_name(names: Sequence[str]) -> NDArray[np.int64]:
    """(N,) positions of the names in the order of the plain texts.

    What is computed in this order does not depend on the order in which the names were given, not even in
    its last bit, and of equal scores the lower row is the lower name.
    """
    return np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)


def strongest(scores: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Positions of the `count` largest of (N,) scores, equal ones from the front; those of -inf never."""
    available = np.flatnonzero(scores > -np.inf)
    if len(available) > count:
        least = np.partition(scores[available], -count)[-count]
        available = available[scores[available] >= least]
    order = np.argsort(-scores[available], kind="stable")
    return available[order[:count]]


def named_pairs(links: NDArray[np.int64], names: Sequence[str]) -> list[Pair]:
    """The pairs that links stand for, each once: the image that was named first comes first, and so do its pairs.

    Args:
        links: (P, 2) positions in `names`, in either direction, also repeated.
        names: of N images.
    """
    count = max(len(names), 1)
    codes = np.unique(links.min(axis=1) * count + links.max(axis=1))
    firsts, seconds = (codes // count).tolist(), (codes % count).tolist()
    return [Pair(names[first], names[second]) for first, second in zip(firsts, seconds, strict=True)]
