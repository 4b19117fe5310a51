"""What the stores of features and of matches share: items by key in immutable shards, any number of writers.

A shard is named after its configuration and the keys of its items, which stand in it in the order of their keys. So
the same items written twice, by whomever, are one file. A file is removed only after another was written that holds all
its items and more; hence nothing is lost however many processes write and compact at once, without a lock. Where
an item is in several shards, the first by name counts.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args

from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.store.catalogue import Place
from cyano.store.configuration import Configuration, config_id, open_folder
from cyano.store.folder import Damage, ShardFolder
from cyano.store.keys import item_key
from cyano.store.precision import PRECISION, Precision
from cyano.store.quarantine import Quarantine
from cyano.store.shard import DamagedShardError, Shard

__all__ = ["TARGET_BYTES", "Compaction", "ShardStore"]

TARGET_BYTES = 64 << 20
"""How large compaction makes shards."""

_MAX_ITEMS = 65_536  # in a shard that compaction makes, for pairs without a match have next to no bytes
_CHUNK = 10_000  # keys looked up at a time
_TRIES = 3  # shards move under a reader while others compact

K = TypeVar("K")
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Compaction:
    """Number of shards and their bytes, before and after.

    Example:
        >>> features, matches, names = collection.stored()
        >>> done = features.compact()
        >>> done.shards_after <= done.shards_before
        True
    """

    shards_before: int
    shards_after: int
    bytes_before: int
    bytes_after: int


class ShardStore(ABC, Generic[K, T]):
    """Items of type T by keys of type K, all made with one configuration.

    Attributes:
        kind: what the items are, in the plural.
        configuration: everything that decides the values of the items.
        precision: "float32" stores without loss, "float16" in half the space.
        folder: of this configuration's files.
        quarantine: the items that cannot be made.

    Example:
        >>> store = MatchStore("store", {"weights": "cyano-small", "threshold": 0.2})
        >>> for name in ("b.jpg", "c.jpg"):
        ...     store.write([StoredPair("a.jpg", name, np.int32([[0, 7]]), np.float32([0.9]))])
        >>> store.count(), len(store.sizes()), store.verify()  # pairs, shards, damaged ones
        (2, 2, [])
        >>> store.compact().shards_after, sorted(store.keys()), len(list(store.items()))
        (1, [('a.jpg', 'b.jpg'), ('a.jpg', 'c.jpg')], 2)
    """

    kind: ClassVar[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        configuration: Configuration,
        *,
        precision: Precision = "float16",
        force: bool = False,
    ) -> None:
        """Open a store, or begin one.

        Args:
            root: folder of the store; kinds of items and configurations live in it side by side.
            configuration: everything that decides the values of the items.
            precision: see above; becomes part of the configuration.
            force: begin anew beside the results of other configurations instead of refusing.

        Raises:
            InputError: the precision is unknown, or the configuration cannot be recorded.
            OutputError: there are results of another configuration only (the message says what differs), or nothing
                can be written there.
        """
        if precision not in get_args(Precision):
            raise InputError(f"unknown precision {precision!r}: choose one of {', '.join(get_args(Precision))}")
        self.precision = precision
        self.configuration: Configuration = {**configuration, PRECISION: precision}
        self.folder = open_folder(Path(root), self.kind, self.configuration, force=force)
        self.quarantine = Quarantine(self.folder / "quarantine")
        self._shards = ShardFolder(self.folder, config_id(self.kind, self.configuration), self._index)

    @classmethod
    def exists(cls, root: str | Path, configuration: Configuration, *, precision: Precision = "float16") -> bool:
        """Whether there is a store of this configuration already; nothing is made.

        Example:
            >>> FeatureStore.exists("run/store", recipe.feature_configuration())
            True
        """
        return (Path(root) / cls.kind / config_id(cls.kind, {**configuration, PRECISION: precision})).is_dir()

    @abstractmethod
    def _names(self, key: K) -> Sequence[str]:
        """The names that make up a key; their order does not matter."""

    @abstractmethod
    def _key(self, item: T) -> K:
        """The key of an item."""

    @abstractmethod
    def _encode(self, items: Sequence[T]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Items as a document and tensors."""

    @abstractmethod
    def _decode(self, shard: Shard, rows: Sequence[int] | None) -> list[T]:
        """The items in these rows of a shard, in this order; None for all."""

    @abstractmethod
    def _keys(self, shard: Shard) -> list[tuple[K, str]]:
        """The key of each row of a shard, and a tag to find with it."""

    def _index(self, shard: Shard) -> list[tuple[bytes, str]]:
        return [(item_key(self._names(key)), tag) for key, tag in self._keys(shard)]

    def write(self, items: Sequence[T]) -> None:
        """Store items as one shard, whole or not at all; they are on the disk when this returns.

        Writing what is there already does no harm.

        Args:
            items: each key once; none writes nothing.

        Raises:
            InputError: a key occurs twice.
            OutputError: the shard cannot be written.

        Example:
            >>> store = KeypointStore("store", {"digest": "of the matches"})
            >>> store.write([StoredKeypoints("a.jpg", np.zeros((0, 2), np.float32), moved=0)])
        """
        by_key = {item_key(self._names(self._key(item))): item for item in items}
        if len(by_key) < len(items):
            raise InputError(f"of {len(items)} {self.kind} to write, only {len(by_key)} are different; give each once")
        if by_key:
            self._write(by_key)

    def _write(self, by_key: Mapping[bytes, T]) -> str:
        keys = sorted(by_key)
        document, tensors = self._encode([by_key[key] for key in keys])
        return self._shards.write(keys, document, tensors)

    def missing(self, keys: Iterable[K]) -> list[K]:
        """Those of the keys that are not stored, each once, in their order.

        A million pairs take seconds and a quarter of a gigabyte.

        Raises:
            InputError: a shard cannot be read.

        Example:
            >>> features, matches, names = collection.stored()
            >>> features.missing(["view0.png", "view9.png"])
            ['view9.png']
        """
        self._shards.refresh()
        absent: list[K] = []
        seen: set[bytes] = set()
        for key, digest, place in self._places(keys):
            if place is None and digest not in seen:
                seen.add(digest)
                absent.append(key)
        return absent

    def _places(self, keys: Iterable[K]) -> Iterator[tuple[K, bytes, Place | None]]:
        """Keys, their digests, and where they are, as of the last refresh."""
        remaining = iter(keys)
        while some := list(islice(remaining, _CHUNK)):
            digests = [item_key(self._names(key)) for key in some]
            found = self._shards.find(digests)
            for key, digest in zip(some, digests, strict=True):
                yield key, digest, found.get(digest)

    def read(self, keys: Iterable[K]) -> list[T]:
        """A batch of items in the order of their keys; each shard that holds some of them is opened once.

        Raises:
            InputError: some are not stored, or their shard is damaged, in which case they are missing from now on; or
                a shard cannot be read.

        Example:
            >>> features, matches, names = collection.stored()
            >>> features.read(["view0.png"])[0].keypoints.shape
            (200, 2)
        """
        asked = list(keys)
        digests = [item_key(self._names(key)) for key in asked]
        items: dict[bytes, T] = {}
        for _ in range(_TRIES):
            self._load(self._shards.find([digest for digest in dict.fromkeys(digests) if digest not in items]), items)
            if all(digest in items for digest in digests):
                return [items[digest] for digest in digests]
            self._shards.refresh()
        lost = [key for key, digest in zip(asked, digests, strict=True) if digest not in items]
        raise InputError(
            f"{self.folder} lacks {len(lost)} of the {len(asked)} {self.kind} asked for, first those of {lost[0]!r}; "
            "repeat the command that makes them"
        )

    def _load(self, places: Mapping[bytes, Place], items: dict[bytes, T]) -> None:
        """Read what is at these places, as far as it is still there and sound."""
        by_shard: dict[str, dict[bytes, int]] = {}
        for digest, place in places.items():
            by_shard.setdefault(place.shard, {})[digest] = place.row
        for name, rows in by_shard.items():
            items.update(zip(rows, self._rows(name, list(rows.values())), strict=False))

    def _rows(self, name: str, rows: Sequence[int] | None) -> list[T]:
        """Rows of a shard; none if it is gone or damaged."""
        try:
            with self._shards.opened(name) as shard:
                return self._decode(shard, rows)
        except (FileNotFoundError, DamagedShardError):
            return []

    def keys(self) -> Iterator[K]:
        """The keys of all items, each once, in no order that matters.

        Raises:
            InputError: a shard cannot be read.
        """
        return self._once(lambda shard: [(key, key) for key, _ in self._keys(shard)])

    def items(self) -> Iterator[T]:
        """All items, as `keys`; each shard is read once, and one is in memory at a time."""
        return self._once(lambda shard: [(self._key(item), item) for item in self._decode(shard, None)])

    def _once(self, content: Callable[[Shard], list[tuple[K, U]]]) -> Iterator[U]:
        """What shards hold by key, of each key the first."""
        seen: set[bytes] = set()
        done: set[str] = set()
        while names := sorted(self._shards.listed().keys() - done):  # again for shards that others merged meanwhile
            for name in names:
                done.add(name)
                try:
                    with self._shards.opened(name) as shard:
                        held = content(shard)
                except (FileNotFoundError, DamagedShardError):
                    continue
                for key, value in held:
                    digest = item_key(self._names(key))
                    if digest not in seen:
                        seen.add(digest)
                        yield value

    def count(self) -> int:
        """How many different items are stored.

        Raises:
            InputError: a shard cannot be read.
        """
        self._shards.refresh()
        return self._shards.count()

    def sizes(self) -> Mapping[str, int]:
        """Bytes of each shard by its name."""
        return self._shards.listed()

    def verify(self) -> list[Damage]:
        """Read every byte of every shard; damaged ones are set aside, so what was in them is missing from then on.

        Returns:
            Those that are damaged and those that cannot be read, in the order of their names.
        """
        return self._shards.verify()

    def compact(self, target_bytes: int = TARGET_BYTES) -> Compaction:
        """Merge small shards into few, and remove what killed writers left and what was set aside.

        May be stopped at any moment, and run while others read and write. Holds about `target_bytes` four times in
        memory.

        Args:
            target_bytes: shards of less than half of this are merged into shards of about this.

        Raises:
            InputError: a shard cannot be read.
            OutputError: a shard cannot be written or removed.
        """
        before = self._shards.listed()
        merged: dict[bytes, T] = {}
        sources: list[str] = []
        filled = 0
        for name in sorted(name for name, size in before.items() if size < target_bytes / 2):
            items = self._rows(name, None)
            if items:  # neither gone nor damaged
                sources.append(name)
            for item in items:
                merged.setdefault(item_key(self._names(self._key(item))), item)
            filled += before[name]
            if filled >= target_bytes or len(merged) >= _MAX_ITEMS:
                self._replace(sources, merged)
                merged, sources, filled = {}, [], 0
        self._replace(sources, merged)
        self._shards.tidy()
        after = self._shards.listed()
        return Compaction(len(before), len(after), sum(before.values()), sum(after.values()))

    def _replace(self, sources: Sequence[str], merged: Mapping[bytes, T]) -> None:
        """Write one shard with all that is in these, then remove them."""
        if len(sources) > 1:
            whole = self._write(merged)
            self._shards.date_back(whole, sources)
            self._shards.remove(name for name in sources if name != whole)
