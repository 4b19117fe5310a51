"""Which keypoint of a collection takes its place from which other one; follows from all verified matches at once.

A point of the scene is seen by many images, and in each its keypoint has one place. So of the keypoints that match
each other the one with the most matches stays, and those that match it directly are laid over it. Nothing but counting
is done here: a million pairs take minutes, and what takes long is done image by image (`cyano.engine.alignment`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.engine.plan import ImagePair
from cyano.formats.items import check_indices
from cyano.reading import refusing
from cyano.store import FeatureStore, MatchStore
from cyano.store.keys import checksum, item_key
from cyano.store.shard import DamagedShardError, encode, open_shard

__all__ = ["References", "find_references"]

_REMEDY = "remove it, and it is made again"


@dataclass(frozen=True, eq=False)
class References:
    """The keypoint that each one is laid over. All keypoints are numbered, image after image.

    Attributes:
        names: of the images.
        starts: (I + 1,) int64, the number of the first keypoint of each image, and how many there are in all.
        others: (starts[-1],) int64, the number of the other keypoint; -1 for one that stays.
    """

    names: list[str]
    starts: NDArray[np.int64]
    others: NDArray[np.int64]

    @classmethod
    def of_matches(cls, features: FeatureStore, matches: MatchStore, names: Sequence[str]) -> References:
        """From the verified matches of these images.

        Raises:
            InputError: features are missing, or matches are of other features.
        """
        counts = features.keypoint_counts(names)
        starts = np.cumsum([0, *counts.values()], dtype=np.int64)
        first = dict(zip(counts, starts.tolist(), strict=False))

        def edges() -> Iterator[NDArray[np.int64]]:
            for pair in matches.items():
                both = pair.name0, pair.name1
                if pair.geometry is not None and counts.keys() >= set(both):
                    check_indices(pair, counts)
                    yield pair.indices[pair.geometry.inliers] + np.array([first[name] for name in both])

        return cls(list(counts), starts, find_references(edges, int(starts[-1])))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    def of(self, name: str) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
        """What an image's keypoints are laid over.

        Yields:
            The name of another image, (K,) keypoints of this one, and (K,) those of the other that they are laid over.
        """
        number = self._numbers[name]
        others = self.others[self.starts[number] : self.starts[number + 1]]
        own = np.flatnonzero(others >= 0)
        images = np.searchsorted(self.starts, others[own], side="right") - 1
        for image in np.unique(images).tolist():
            some = own[images == image]
            yield self.names[image], some, others[some] - self.starts[image]

    def agree(self, other: References, name: str) -> bool:
        """Whether an image's keypoints are laid over the same ones in both."""
        if name not in other._numbers:
            return False
        ours, theirs = list(self.of(name)), list(other.of(name))
        return len(ours) == len(theirs) and all(
            name0 == name1 and np.array_equal(rows0, rows1)
            for (name0, *rows0), (name1, *rows1) in zip(ours, theirs, strict=True)
        )

    def save(self, path: Path) -> None:
        """Write them, whole or not at all.

        Raises:
            OutputError: that cannot be done.
        """
        write_atomically(path, encode({"names": self.names}, {"starts": self.starts, "others": self.others}))

    @classmethod
    def load(cls, path: Path) -> References:
        """Read what `save` wrote.

        Raises:
            InputError: it is not there, or cannot be read.
        """
        with refusing(path, _REMEDY):
            try:
                with open_shard(path) as file:
                    found = cls(file.document["names"], file.tensor("starts"), file.tensor("others"))
            except DamagedShardError as error:
                raise ValueError(str(error)) from error
            found._check()
            return found

    def _check(self) -> None:
        """Raise `ValueError` unless all of it fits together."""
        total = len(self.others)
        whole = self.starts.dtype == self.others.dtype == np.int64 and self.starts.shape == (len(self.names) + 1,)
        if not whole or self.others.ndim != 1 or (self.starts[0], self.starts[-1]) != (0, total):
            raise ValueError("its numbers of keypoints do not fit together")
        if (np.diff(self.starts) < 0).any() or (total and not -1 <= self.others.min() <= self.others.max() < total):
            raise ValueError("a keypoint is out of range")


def pairs_among(matches: MatchStore, names: Sequence[str]) -> list[ImagePair]:
    """The stored pairs of these images, sorted.

    Example:
        >>> features, matches, names = collection.stored()
        >>> pairs_among(matches, ["view0.png", "view1.png"])
        [('view0.png', 'view1.png')]
    """
    kept, stored = set(names), matches.keys()
    return sorted(pair for pair in stored if kept.issuperset(pair))


def digest_of(features: FeatureStore, matches: MatchStore, names: Sequence[str]) -> str:
    """Stands for the images and the pairs among them, and for everything that decides them.

    Example:
        >>> features, matches, names = collection.stored()
        >>> digest_of(features, matches, names) == digest_of(features, matches, names[:2])
        False
    """
    folders = "\0".join((features.folder.name, matches.folder.name)).encode("ascii")
    images = sorted(item_key((name,)) for name in names)
    return checksum(folders, *images, *sorted(item_key(pair) for pair in pairs_among(matches, names)))


def find_references(edges: Callable[[], Iterator[NDArray[np.int64]]], total: int) -> NDArray[np.int64]:
    """The keypoint that each one is to be laid over, -1 for those that stay.

    Args:
        edges: gives (E, 2) keypoints that match, in parts, whenever it is called: thrice, for all of them in memory
            would be gigabytes.
        total: so many keypoints there are; of two with as many matches the first has precedence.

    Returns:
        (total,) the neighbour with the most matches among those that have more than all of their own neighbours.
    """
    matched = np.zeros(total, np.int64)
    for part in edges():
        np.add.at(matched, part.ravel(), 1)
    # Unique, so that of two neighbours one always comes first, and the number of the keypoint can be read off it.
    rank = matched * total + np.arange(total)[::-1]
    best = np.full(total, -1)
    for one, two in _both_ways(edges):
        np.maximum.at(best, one, rank[two])
    stays = rank > best
    reference = np.full(total, -1)
    for one, two in _both_ways(edges):
        staying = stays[two]
        np.maximum.at(reference, one[staying], rank[two[staying]])
    return np.where(reference >= 0, total - 1 - reference % max(total, 1), -1)


def _both_ways(
    edges: Callable[[], Iterator[NDArray[np.int64]]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for part in edges():
        one, two = part.T
        yield one, two
        yield two, one
