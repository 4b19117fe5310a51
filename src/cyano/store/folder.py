"""The folder of one configuration's shards: what is there, what is sound, and which item is where."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cyano.atomic import tidy, write_atomically
from cyano.errors import InputError, OutputError
from cyano.reading import PARSER_ERRORS, reason_of
from cyano.store.catalogue import Catalogue, Place
from cyano.store.keys import checksum
from cyano.store.shard import DamagedShardError, Shard, encode, open_shard

__all__ = ["CATALOGUE_FILE", "Damage", "ShardFolder"]

CATALOGUE_FILE = "catalogue.sqlite"

_SHARD = re.compile(r"[0-9a-f]{32}\.safetensors")
_WRITTEN = re.compile(r"(?:[0-9a-f]{32}|references)\.safetensors|catalogue\.sqlite|config\.json")
_SET_ASIDE = re.compile(r"[0-9a-f]{32}\.safetensors\.damaged")


@dataclass(frozen=True)
class Damage:
    """A shard that is not what was written, or cannot be read, and why.

    Example:
        >>> store = KeypointStore("store", {"digest": "of the matches"})
        >>> store.write([StoredKeypoints("a.jpg", np.float32([[10.25, 20.5]]), moved=1)])
        >>> (shard,) = store.folder.glob("*.safetensors")
        >>> written = shard.write_bytes(b"something else")
        >>> [damage.path.suffix for damage in store.verify()]
        ['.safetensors']
    """

    path: Path
    reason: str


class ShardFolder:
    """Shards in a folder; safe to use from several threads, and beside any number of other processes."""

    def __init__(self, path: Path, config_id: str, index: Callable[[Shard], Sequence[tuple[bytes, str]]]) -> None:
        """Nothing is read yet.

        Args:
            path: of the folder.
            config_id: that its shards must have.
            index: gives the key of each row of a shard, and a tag to remember with it.
        """
        self.path = path
        self._config_id = config_id
        self._index = index
        self._lock = threading.RLock()
        self._unusable: set[str] = set()

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.path / CATALOGUE_FILE)

    def name_of(self, keys: Iterable[bytes]) -> str:
        """The name of the shard that holds these keys, in this order."""
        return f"{checksum(self._config_id.encode('ascii'), *keys)}.safetensors"

    def write(self, keys: Sequence[bytes], document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
        """Write a shard whole or not at all; its name.

        Raises:
            OutputError: it cannot be written.
        """
        name = self.name_of(keys)
        write_atomically(self.path / name, encode({"shard": name, **document}, tensors))
        return name

    def listed(self) -> dict[str, int]:
        """Sizes in bytes of the shards by name; nothing but finished shards is ever looked at.

        Raises:
            InputError: the folder cannot be read.
        """
        sizes = {}
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if _SHARD.fullmatch(entry.name) and entry.name not in self._unusable:
                        with contextlib.suppress(FileNotFoundError):  # merged meanwhile
                            sizes[entry.name] = entry.stat().st_size
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return sizes

    @contextmanager
    def opened(self, name: str) -> Iterator[Shard]:
        """Open a shard for reading; one that turns out to be damaged is set aside, and so is absent from then on.

        Raises:
            DamagedShardError: it is not what was written.
            FileNotFoundError: it is gone.
            InputError: it cannot be read.
        """
        path = self.path / name
        try:
            with open_shard(path) as shard:
                named = shard.document.get("shard")
                if named != name:
                    raise DamagedShardError(f"{path} is not that shard but {named or 'no shard at all'}")
                yield shard
        except DamagedShardError:
            self._set_aside(name)
            raise
        except FileNotFoundError:
            raise
        except OSError as error:  # it may well be sound, so it stays
            raise _unreadable(path, error) from error
        except PARSER_ERRORS as error:  # sound, but not what such a store writes
            self._set_aside(name)
            raise DamagedShardError(f"{path} has other content: {reason_of(error)}") from error

    def _set_aside(self, name: str) -> None:
        try:
            os.replace(self.path / name, self.path / f"{name}.damaged")
        except OSError:
            self._unusable.add(name)  # where nothing can be changed, this process knows at least

    def refresh(self) -> None:
        """Take note of what other processes have done since the last time.

        Raises:
            InputError: a shard, or the folder, cannot be read.
        """
        with self._lock:
            present = self.listed()
            for name, size in self._catalogue.shards.items():
                if present.get(name) != size:
                    self._catalogue.drop(name)
            for name in sorted(present.keys() - self._catalogue.shards.keys()):
                with contextlib.suppress(FileNotFoundError, DamagedShardError), self.opened(name) as shard:
                    rows = self._index(shard)
                    self._catalogue.add(name, present[name], [key for key, _ in rows], [tag for _, tag in rows])
            if self._catalogue.publish():
                newer = Catalogue(self.path / CATALOGUE_FILE)
                if newer.shards == self._catalogue.shards:  # not if another process wrote its own meanwhile
                    self._catalogue = newer  # and so what was in memory is freed

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Place]:
        """Where items are, as of the last refresh; those that are nowhere are left out."""
        with self._lock:
            try:
                return self._catalogue.find(keys)
            except sqlite3.Error:  # the file went bad while it was open
                self._catalogue.forget()
                self.refresh()
                return self._catalogue.find(keys)

    def count(self) -> int:
        """How many different items there are, as of the last refresh."""
        with self._lock:
            return self._catalogue.count()

    def verify(self) -> list[Damage]:
        """Read every byte of every shard; damaged ones are set aside.

        Returns:
            Those that are damaged and those that cannot be read, in the order of their names.
        """
        found = []
        for name in sorted(self.listed()):
            try:
                with self.opened(name) as shard:
                    for tensor in shard.names:
                        shard.tensor(tensor)
            except FileNotFoundError:
                continue
            except InputError as error:
                found.append(Damage(self.path / name, str(error)))
        return found

    def written(self, name: str) -> float:
        """When a shard was written, in seconds since the epoch; long ago if it is gone."""
        try:
            return (self.path / name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def date_back(self, name: str, sources: Iterable[str]) -> None:
        """Give a shard the time of the oldest of those that it was merged from."""
        oldest = min(self.written(source) for source in sources)
        with contextlib.suppress(OSError):  # somebody else's file, and merely a time
            os.utime(self.path / name, (oldest, oldest))

    def remove(self, names: Iterable[str]) -> None:
        """Remove shards.

        Raises:
            OutputError: one cannot be removed.
        """
        self._unlink(self.path / name for name in names)

    def tidy(self) -> None:
        """Remove what killed writers left, and what was set aside.

        Raises:
            OutputError: something cannot be removed.
        """
        tidy(self.path, _WRITTEN.fullmatch)
        self._unlink(path for path in self.path.iterdir() if _SET_ASIDE.fullmatch(path.name))

    @staticmethod
    def _unlink(paths: Iterable[Path]) -> None:
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass  # somebody else tidies
        except OSError as error:
            raise OutputError(f"{error.filename} cannot be removed: {error.strerror}; check its permissions") from error


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be read: {error.strerror or error}; check its permissions and the disk")
