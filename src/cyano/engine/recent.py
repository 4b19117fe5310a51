"""Images that were read last, as many as a budget of memory holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor

__all__ = ["RecentImages"]


class RecentImages:
    """Reads images and keeps the last ones; for several threads."""

    def __init__(self, read: Callable[[str], Tensor], most_bytes: int) -> None:
        """Nothing is read yet.

        Args:
            read: gives an image by its name.
            most_bytes: to keep; photographs at their own size are two hundred times those at 640 pixels.
        """
        self._read = read
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Tensor:
        """An image; errors are those of reading it."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        image = self._read(name)  # two threads may do this at once, which costs time only
        with self._lock:
            if name not in self._kept:
                self._kept[name] = image
                self._bytes += image.nbytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return image
