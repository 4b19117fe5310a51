"""Who follows long work."""

from __future__ import annotations

from typing import Protocol

__all__ = ["NOBODY", "Watcher"]


class Watcher(Protocol):
    """Whoever follows a training or a run over a collection, such as a terminal."""

    def say(self, line: str) -> None:
        """Take a line for people."""
        ...

    def at(self, stage: str, done: int, total: int) -> None:
        """Take in how far a stage is, in its own units."""
        ...


class _Nobody:
    def say(self, line: str) -> None:
        pass

    def at(self, stage: str, done: int, total: int) -> None:
        pass


NOBODY: Watcher = _Nobody()
"""Listens to nothing."""
