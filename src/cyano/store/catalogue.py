"""Which shard holds which item: an SQLite catalogue that only saves time.

The shards say it all, so whatever happens to the catalogue it is made again from their headers. The file is a
snapshot: written beside and renamed, never changed, checked by the BLAKE2b in its last 32 bytes (SQLite passes
over what follows its last page), opened immutable. So there are no locks, and many processes and network file
systems do no harm. What is newer than the snapshot is held in memory, until it is worth another one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["Catalogue", "Place"]

_DIGEST_BYTES = 32
_BLOCK = 1 << 20
_CHUNK = 500
"""Keys in one query; SQLite before 3.32 takes 999."""

_SCHEMA = """
CREATE TABLE {0}.shards (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE {0}.items (key BLOB, shard INTEGER, row INTEGER NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (key, shard)) WITHOUT ROWID;
"""

_VIEW = """
CREATE TABLE main.dead (id INTEGER PRIMARY KEY);
CREATE TEMP VIEW placed AS
    SELECT key, name, row, tag FROM main.items JOIN main.shards ON id = shard WHERE shard NOT IN main.dead
    UNION ALL
    SELECT key, name, row, tag FROM old.items JOIN old.shards ON id = shard WHERE shard NOT IN main.dead;
"""


class Place(NamedTuple):
    """Where an item is: the name of its shard, its row there, and the tag that its store gave it."""

    shard: str
    row: int
    tag: str


class Catalogue:
    """Places of items by key; an item may be in several shards, and the first by name is the one that counts."""

    def __init__(self, path: Path) -> None:
        """Open the snapshot, if there is a sound one; no file is made.

        Args:
            path: of the snapshot.
        """
        self._path = path
        self._open(path)

    def __del__(self) -> None:
        self._db.close()

    def _open(self, snapshot: Path | None) -> None:
        self._db = sqlite3.connect(":memory:", uri=True, check_same_thread=False, isolation_level=None)
        sound = snapshot is not None and _is_sound(snapshot)
        old = _uri(self._path, "mode=ro&immutable=1") if sound else ":memory:"
        try:
            self._db.execute("ATTACH ? AS old", (old,))
            self._db.executescript(_SCHEMA.format("main") + ("" if sound else _SCHEMA.format("old")) + _VIEW)
            rows = self._db.execute("SELECT id, name, bytes FROM old.shards").fetchall()
            self._old_items = int(self._db.execute("SELECT count(*) FROM old.items").fetchone()[0])
        except sqlite3.Error:
            self._db.close()
            if not sound:
                raise
            self._open(None)  # sound but not ours, or gone meanwhile
            return
        self._live = {name: (number, size) for number, name, size in rows}
        self._next = 1 + max((number for number, _, _ in rows), default=0)
        self._new_items = 0

    def forget(self) -> None:
        """Begin with nothing, without the snapshot."""
        self._db.close()
        self._open(None)

    @property
    def shards(self) -> Mapping[str, int]:
        """Sizes in bytes of the catalogued shards by name."""
        return {name: size for name, (_, size) in self._live.items()}

    def add(self, shard: str, size: int, keys: Iterable[bytes], tags: Iterable[str]) -> None:
        """Catalogue a shard: its name, its size in bytes, and key and tag of each row."""
        self._db.execute("BEGIN")
        rows = [(key, self._next, row, tag) for row, (key, tag) in enumerate(zip(keys, tags, strict=True))]
        self._db.execute("INSERT INTO main.shards VALUES (?, ?, ?)", (self._next, shard, size))
        self._db.executemany("INSERT INTO main.items VALUES (?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")
        self._live[shard] = (self._next, size)
        self._next += 1
        self._new_items += len(rows)

    def drop(self, shard: str) -> None:
        """Take a shard out."""
        number, _ = self._live.pop(shard)
        self._db.execute("INSERT INTO main.dead VALUES (?)", (number,))

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Place]:
        """Where the items are; those that are nowhere are left out.

        Raises:
            sqlite3.Error: the snapshot has become unreadable.
        """
        found: dict[bytes, Place] = {}
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"SELECT key, name, row, tag FROM placed WHERE key IN ({marks})", some)
            for key, shard, row, tag in rows:
                if key not in found or shard < found[key].shard:
                    found[key] = Place(shard, row, tag)
        return found

    def count(self) -> int:
        """How many items there are."""
        return int(self._db.execute("SELECT count(DISTINCT key) FROM placed").fetchone()[0])

    def publish(self) -> bool:
        """Write a new snapshot if enough is new, so that all snapshots together cost a fixed share of the work.

        Returns:
            Whether one was written; one that cannot be written is no error, for a catalogue is never worth one.
        """
        if not self._new_items or 4 * self._new_items < self._old_items:
            return False
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            self._write(temporary)
            with temporary.open("rb+") as file:
                digest = _digest(file, os.fstat(file.fileno()).st_size)
                file.seek(0, os.SEEK_END)
                file.write(digest)
            os.replace(temporary, self._path)
        except (sqlite3.Error, OSError):
            return False
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    def _write(self, path: Path) -> None:
        """All live rows as a database of their own; torn ones are recognised, so nothing is flushed."""
        self._db.execute("ATTACH ? AS new", (_uri(path, "mode=rwc"),))
        try:
            self._db.executescript("PRAGMA new.journal_mode = OFF; PRAGMA new.synchronous = OFF;")
            self._db.executescript("BEGIN;" + _SCHEMA.format("new"))
            rows = [(number, name, size) for name, (number, size) in self._live.items()]
            self._db.executemany("INSERT INTO new.shards VALUES (?, ?, ?)", rows)
            self._db.execute(
                "INSERT OR IGNORE INTO new.items SELECT key, id, row, tag"
                " FROM placed JOIN new.shards AS s ON s.name = placed.name ORDER BY key, id"
            )
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.execute("DETACH new")


def _uri(path: Path, options: str) -> str:
    return f"{path.absolute().as_uri()}?{options}"


def _is_sound(path: Path) -> bool:
    """Whether a snapshot is whole and as it was written."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size - _DIGEST_BYTES
            return size > 0 and _digest(file, size) == file.read()
    except OSError:
        return False


def _digest(file: BinaryIO, size: int) -> bytes:
    """BLAKE2b of the next `size` bytes of a file."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for start in range(0, size, _BLOCK):
        digest.update(file.read(min(_BLOCK, size - start)))
    return digest.digest()
