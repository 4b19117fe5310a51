"""How stages are run."""

from __future__ import annotations

from dataclasses import dataclass

from cyano.engine import Engine, LocalEngine, Share
from cyano.progress import NOBODY, Watcher

__all__ = ["DEFAULT_RUN", "Run"]


DEFAULT_ENGINE = LocalEngine()


@dataclass(frozen=True, eq=False)
class Run:
    """How the stages are run.

    Attributes:
        engine: who extracts and matches.
        share: the part of the work that is this job's; None for all of it.
        force: begin anew beside results of other options, and replace database and model in any case.
        retry: try again what could not be done before.
        watcher: is told how far it is.

    Example:
        >>> from cyano.engine import Share
        >>> half = Run(share=Share.parse("1/2"), retry=True)  # this job's half of the work
        >>> extract_images(collection, half).failures
        ()
    """

    engine: Engine = DEFAULT_ENGINE
    share: Share | None = None
    force: bool = False
    retry: bool = False
    watcher: Watcher = NOBODY


DEFAULT_RUN = Run()
