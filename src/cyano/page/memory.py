"""What is kept of images and answers: in memory, up to a number of bytes, and for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Memory"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Values by key; those that were asked for longest ago go first. For one thread.

    memory = Memory[str, bytes](1_000_000, len, keep_seconds=3600)
    memory["a"] = b"..."
    memory.get("a")
    """

    def __init__(
        self,
        most_bytes: int,
        size: Callable[[V], int],
        *,
        keep_seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is kept yet.

        Args:
            most_bytes: of all values.
            size: of a value, in bytes.
            keep_seconds: after a value was last asked for.
            clock: seconds.
        """
        self._most_bytes, self._size, self._keep_seconds, self._clock = most_bytes, size, keep_seconds, clock
        self._kept: OrderedDict[K, tuple[V, int, float]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: K, value: V) -> None:
        """Keep a value; one that is larger than everything that may be kept is not."""
        self._drop(key)
        size = self._size(value)
        if size > self._most_bytes:
            return
        self._kept[key] = (value, size, self._clock())
        self.bytes += size
        while self.bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def get(self, key: K) -> V | None:
        """The value, which is now the one that was asked for last; None if it is not kept."""
        self._forget()
        if key not in self._kept:
            return None
        value, size, _ = self._kept[key]
        self._kept[key] = (value, size, self._clock())
        self._kept.move_to_end(key)
        return value

    def _forget(self) -> None:
        """Drop what nobody asked for in a long time."""
        oldest = self._clock() - self._keep_seconds
        while self._kept and next(iter(self._kept.values()))[2] < oldest:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        if key in self._kept:
            self.bytes -= self._kept.pop(key)[1]
