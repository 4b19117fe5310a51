"""The default engine: this process, reading and writing in threads ahead of the network and behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from cyano.engine.plan import ImagePair, Unit
from cyano.engine.work import Receipt, Stage, Worker
from cyano.errors import InputError

__all__ = ["LocalEngine", "run_units"]

_BACKLOG = 32  # results that may wait for the thread behind the network; what an interrupted run still finishes

K = TypeVar("K", str, ImagePair)
T = TypeVar("T")


@dataclass(frozen=True)
class LocalEngine:
    """One worker in this process.

    A signal that stops the process at any moment leaves what is stored as it is; an interrupt (SIGINT) also stores
    what was computed of the units in flight.

    Attributes:
        threads: that read ahead.

    Example:
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("store"))
        >>> run_stage(stage, ["view0.png"], engine=LocalEngine(threads=1)).done
        1
    """

    threads: int = 4

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise InputError(f"reading ahead takes at least 1 thread, not {self.threads}")

    def run(self, stage: Stage[K, T], units: Sequence[Unit[K]]) -> Generator[Receipt, None, None]:
        """See `Engine.run`."""
        return run_units(stage.worker(), units, self.threads)


def run_units(worker: Worker[K, Any, T], units: Sequence[Unit[K]], threads: int) -> Generator[Receipt, None, None]:
    """Do units one after the other; a receipt for each, in their order, once it is stored.

    Args:
        worker: of a stage.
        units: to do.
        threads: that read ahead.

    Raises:
        CyanoError: the work cannot go on.
    """
    readers = ThreadPoolExecutor(threads, "cyano-read")
    behind = ThreadPoolExecutor(1, "cyano-write")  # one, so that what is submitted is done in order
    saved: deque[Future[Receipt]] = deque()
    results: list[tuple[K, Future[T]]] = []
    unit = None
    try:
        for unit, step, is_last, loading in _ahead(worker, units, readers):
            for key, result in worker.compute(step, loading.result()):
                results.append((key, behind.submit(result)))
                if len(results) > _BACKLOG:
                    wait([results[-_BACKLOG][1]])
                if saved and saved[0].done():
                    yield saved.popleft().result()
            if is_last:
                saved.append(behind.submit(worker.save, unit, results))
                results = []
                if len(saved) > 1:
                    yield saved.popleft().result()
        while saved:
            yield saved.popleft().result()
        readers.shutdown()  # all is loaded
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
        if unit and results:
            behind.submit(worker.save, unit, results)
        behind.shutdown()


def _ahead(
    worker: Worker[K, Any, T], units: Sequence[Unit[K]], readers: ThreadPoolExecutor
) -> Iterator[tuple[Unit[K], list[K], bool, Future[Any]]]:
    """Each step of the units, whether it is its unit's last, and what is loaded for it."""
    waiting: deque[tuple[Unit[K], list[K], bool, Future[Any]]] = deque()
    for unit in units:
        steps = worker.steps(worker.store.missing(unit.items))
        for number, step in enumerate(steps, start=1):
            waiting.append((unit, step, number == len(steps), readers.submit(worker.load, step)))
            if len(waiting) > worker.ahead:
                yield waiting.popleft()
    yield from waiting
