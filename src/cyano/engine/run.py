"""Run a stage over a collection: plan, what is left of it, an engine, and what became of it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from cyano.engine.local import LocalEngine
from cyano.engine.plan import ImagePair, Share, Unit, names_of
from cyano.engine.work import Engine, Failure, Receipt, Stage
from cyano.store import ShardStore

__all__ = ["SOME_FAILED", "Summary", "run_stage"]

SOME_FAILED = 3
"""Exit status of a run that did what it could, though not everything."""

DEFAULT_ENGINE = LocalEngine()

K = TypeVar("K", str, ImagePair)
T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """How far a stage is.

    Attributes:
        total: images or pairs to do.
        kept: of these, stored before.
        done: stored by this run.
        failures: what cannot be done, with the reasons; in the order of the names at the end of a run.
        blocked: pairs that wait for the features of an image.
        absent: those images, in the order of their names.
        seconds: since the run began.

    Example:
        >>> summary = run_stage(ExtractImages(recipe, Path("scene"), Path("run/store")), collection.names())
        >>> summary.total, summary.kept, summary.finished, summary.exit_status
        (6, 6, 6, 0)
    """

    total: int
    kept: int = 0
    done: int = 0
    failures: tuple[Failure, ...] = ()
    blocked: int = 0
    absent: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def finished(self) -> int:
        """How many of the total are dealt with, well or not."""
        return self.kept + self.done + len(self.failures) + self.blocked

    @property
    def exit_status(self) -> int:
        """0 if everything is stored, 3 if some of it cannot be."""
        return SOME_FAILED if self.failures or self.blocked else 0

    def _after(self, receipt: Receipt, started: float) -> Summary:
        return replace(
            self,
            done=self.done + receipt.done,
            failures=self.failures + receipt.failures,
            blocked=self.blocked + receipt.blocked,
            absent=tuple(sorted(receipt.absent.union(self.absent))),
            seconds=time.monotonic() - started,
        )


def run_stage(
    stage: Stage[K, T],
    keys: Iterable[K],
    *,
    engine: Engine = DEFAULT_ENGINE,
    share: Share | None = None,
    force: bool = False,
    retry: bool = False,
    on_progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Do what is not done yet. May be stopped at any moment and run again, several times at once, and on any engine.

    What an item cannot be done for is recorded in the store's quarantine. Such items are not tried again unless that
    is asked for.

    Args:
        stage: what to do, `ExtractImages` or `MatchPairs`.
        keys: names of images, or pairs of names.
        engine: who does it.
        share: the part of the work that is this job's; None for all of it.
        force: begin anew beside results of other options.
        retry: try again what could not be done.
        on_progress: called at the beginning and after each unit.

    Raises:
        OutputError: there are results of other options only (the message says what differs), or a result cannot be
            written.
        CyanoError: the work cannot go on.

    Example:
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("store"))
        >>> run_stage(stage, ["view0.png"], on_progress=lambda summary: print(summary.finished, "done")).done
        0 done
        1 done
        1
        >>> run_stage(stage, ["view0.png"]).kept  # what is stored is not done again
        1
    """
    started = time.monotonic()
    store = stage.open(force=force)
    units = stage.plan(list(keys), store.folder.name)
    units = units if share is None else share.of(units)
    left, summary = _left(store, units, _set_apart(store, units, retry))
    report = on_progress or (lambda _: None)
    report(summary)
    if left:
        with closing(engine.run(stage, left)) as receipts:
            for receipt in receipts:
                for failure in receipt.failures:
                    store.quarantine.add(failure.item, failure.reason, failure.attempts)
                summary = summary._after(receipt, started)
                report(summary)
    ordered = tuple(sorted(summary.failures, key=lambda failure: failure.item))
    return replace(summary, failures=ordered, seconds=time.monotonic() - started)


def _set_apart(store: ShardStore[K, T], units: Sequence[Unit[K]], retry: bool) -> dict[tuple[str, ...], Failure]:
    """What could not be done before, by sorted names; nothing of these units where it is tried again."""
    entries = {tuple(sorted(entry.item)): entry for entry in store.quarantine.entries()}
    if retry:
        planned = {tuple(sorted(names_of(key))) for unit in units for key in unit.items}
        for names in planned & entries.keys():
            store.quarantine.release(entries.pop(names).item)
    return {names: Failure(entry.item, entry.reason, entry.attempts) for names, entry in entries.items()}


def _left(
    store: ShardStore[K, T], units: Sequence[Unit[K]], failures: Mapping[tuple[str, ...], Failure]
) -> tuple[list[Unit[K]], Summary]:
    """The units without what is stored and what is set apart, and the state of things before they are done."""
    missing = set(store.missing(key for unit in units for key in unit.items))
    total = sum(len(unit.items) for unit in units)
    known: list[Failure] = []
    left = []
    for unit in units:
        items = []
        for key in unit.items:
            if key in missing:
                failure = failures.get(tuple(sorted(names_of(key)))) if failures else None
                items += [] if failure else [key]
                known += [failure] if failure else []
        if items:
            left.append(Unit(unit.id, tuple(items)))
    return left, Summary(total, kept=total - len(missing), failures=tuple(known))
