"""How stages are run, and who follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cyano.engine import Engine, LocalEngine, Share

__all__ = ["DEFAULT_RUN", "Run", "Watcher"]


class Watcher(Protocol):
    """Whoever follows a run, such as a terminal."""

    def say(self, line: str) -> None:
        """Take a sentence for people."""
        ...

    def at(self, stage: str, done: int, total: int) -> None:
        """Take in how far a stage is, in its own units."""
        ...


class _Nobody:
    def say(self, line: str) -> None:
        pass

    def at(self, stage: str, done: int, total: int) -> None:
        pass


DEFAULT_ENGINE = LocalEngine()
NOBODY = _Nobody()


@dataclass(frozen=True, eq=False)
class Run:
    """How the stages are run.

    Attributes:
        engine: who extracts and matches.
        share: the part of the work that is this job's; None for all of it.
        force: begin anew beside results of other options, and replace database and model in any case.
        retry: try again what could not be done before.
        watcher: is told how far it is.
    """

    engine: Engine = DEFAULT_ENGINE
    share: Share | None = None
    force: bool = False
    retry: bool = False
    watcher: Watcher = NOBODY


DEFAULT_RUN = Run()
