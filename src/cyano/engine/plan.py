"""What there is to do, as units that any engine does in any order: chunks of images and tiles of pairs.

A plan follows from the names alone and not from what is done already, so that all who work on a collection have the
same one. A tile is a set of pairs that touch few images, for the features of an image are a megabyte and the matches
of a pair three kilobytes: pair by pair, a million pairs would read two terabytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cyano.engine.finding import find_images
from cyano.errors import InputError
from cyano.store.keys import checksum, item_key

__all__ = ["ImagePair", "Share", "Unit", "find_images", "names_of", "plan_images", "plan_pairs"]

ImagePair = tuple[str, str]
"""The names of two images to match."""

_MAX_CHUNK = 64  # images; their features fill a shard of 64 MiB
_MAX_TILE = 2048  # pairs; minutes of work on a processor, which is what a kill costs
_MAX_IMAGES = 128  # in a tile, all of whose features are in memory at once
_UNITS = 64  # into which small collections are divided too, for several workers and for progress

K = TypeVar("K", str, ImagePair)


@dataclass(frozen=True)
class Unit(Generic[K]):
    """Work that is done as a whole and stored as one shard.

    Attributes:
        id: 16 hexadecimal digits, a hash of the configuration and of the items' sorted keys.
        items: names of images, or pairs of them.

    Example:
        >>> unit = plan_images(["a.jpg"], config_id="0")[0]
        >>> len(unit.id), unit.items
        (16, ('a.jpg',))
    """

    id: str
    items: tuple[K, ...]


@dataclass(frozen=True)
class Share:
    """The units that one of several jobs does; together they do all, and none twice.

    Attributes:
        index: of the job, from 0.
        count: of jobs.

    Example:
        >>> share = Share.parse("1/3")  # the second of three jobs
        >>> units = plan_images([f"{number}.jpg" for number in range(30)], config_id="0")
        >>> 0 < len(share.of(units)) < len(units)
        True
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise InputError(f"a share is i/N with i from 0 to N - 1, not {self.index}/{self.count}")

    @classmethod
    def parse(cls, text: str) -> Share:
        """A share from text like "2/8".

        Raises:
            InputError: the text is not of this form.
        """
        index, _, count = text.partition("/")
        if not (index.isdecimal() and count.isdecimal()):
            raise InputError(f"a share is i/N, for example 0/8 to 7/8 for eight jobs; not {text!r}")
        return cls(int(index), int(count))

    def of(self, units: Sequence[Unit[K]]) -> list[Unit[K]]:
        """This job's part of a plan."""
        return [unit for unit in units if int(unit.id, 16) % self.count == self.index]


def names_of(key: K) -> tuple[str, ...]:
    """The image of a key, or the two of a pair."""
    return (key,) if isinstance(key, str) else key


def plan_images(names: Iterable[str], config_id: str) -> list[Unit[str]]:
    """Chunks of images to extract features from.

    Args:
        names: of the images; what is named twice is done once.
        config_id: of the features.

    Example:
        >>> units = plan_images([f"{number}.jpg" for number in range(100)], config_id="0")
        >>> sum(len(unit.items) for unit in units)
        100
    """
    once = list(dict.fromkeys(names))
    size = min(max(len(once) // _UNITS, 4), _MAX_CHUNK)
    return [_unit(once[start : start + size], config_id) for start in range(0, len(once), size)]


def plan_pairs(pairs: Iterable[ImagePair], config_id: str) -> list[Unit[ImagePair]]:
    """Tiles of pairs to match.

    Images are put in an order in which those that are paired are near each other. Of the pairs as the upper triangle
    of a matrix in this order, strips of 32 rows are walked along, and a tile ends where it is full.

    Args:
        pairs: in any order; (a, b) and (b, a) are one pair, of which the first direction counts.
        config_id: of the matches.

    Raises:
        InputError: an image is paired with itself.

    Example:
        >>> units = plan_pairs([("a.jpg", "b.jpg"), ("a.jpg", "c.jpg"), ("b.jpg", "a.jpg")], config_id="0")
        >>> sorted(pair for unit in units for pair in unit.items)
        [('a.jpg', 'b.jpg'), ('a.jpg', 'c.jpg')]
    """
    listed = list(pairs)
    if not listed:
        return []
    names = sorted({name for pair in listed for name in pair})
    numbers = {name: number for number, name in enumerate(names)}
    ends = np.array([(numbers[name0], numbers[name1]) for name0, name1 in listed], np.int64)
    same = np.flatnonzero(ends[:, 0] == ends[:, 1])
    if same.size:
        raise InputError(f"{names[ends[same[0], 0]]!r} is paired with itself; leave such pairs out")
    places = np.sort(_places(len(names), ends)[ends], axis=1)
    first = np.unique(places[:, 0] * len(names) + places[:, 1], return_index=True)[1]
    limit = min(max(len(first) // _UNITS, 16), _MAX_TILE)
    rows = max(math.isqrt(limit // 2), 1)  # a full tile of a dense matrix is twice as wide as high
    low, high = places[first].T
    walk = first[np.lexsort((low, high, low // rows))]
    return [_unit([listed[n] for n in tile], config_id) for tile in _tiles(walk, places, limit)]


def _places(count: int, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """(count,) place of each image when each comes with those that it is paired with: a breadth-first search.

    Cuthill and McKee order sparse matrices so. Where names are in a good order already, it stays.
    """
    both = np.concatenate([ends, ends[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    starts = np.searchsorted(both[:, 0], np.arange(count + 1)).tolist()
    others: list[int] = both[:, 1].tolist()
    seen = bytearray(count)
    order: list[int] = []
    done = 0
    for root in range(count):
        if not seen[root]:
            seen[root] = True
            order.append(root)
        while done < len(order):
            for other in others[starts[order[done]] : starts[order[done] + 1]]:
                if not seen[other]:
                    seen[other] = True
                    order.append(other)
            done += 1
    places = np.empty(count, np.int64)
    places[order] = np.arange(count)
    return places


def _tiles(walk: NDArray[np.int64], places: NDArray[np.int64], limit: int) -> Iterator[list[int]]:
    """The rows of `places` in the order of the walk, cut where a tile has enough pairs or images."""
    tile: list[int] = []
    images: set[int] = set()
    for number, pair in zip(walk.tolist(), places[walk].tolist(), strict=True):
        if len(tile) == limit or len(images.union(pair)) > _MAX_IMAGES:
            yield tile
            tile, images = [], set()
        tile.append(number)
        images.update(pair)
    yield tile


def _unit(items: Sequence[K], config_id: str) -> Unit[K]:
    keys = sorted(item_key(names_of(item)) for item in items)
    return Unit(checksum(config_id.encode("ascii"), *keys)[:16], tuple(items))
