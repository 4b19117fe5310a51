"""Many small jobs at once, each on one core, instead of one after the other on all cores.

torch's threads meet after every operation. Where there are many jobs, it is faster that each core does one of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from threading import Lock, Thread
from typing import TypeVar

import torch

__all__ = ["in_order"]

AHEAD = 2
"""Jobs in flight for each thread: one that it does, and one that waits for it or for whoever takes the results."""

_SETTING = Lock()

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """The results of `function` for each item, in the order of the items.

    Where items are fewer than `AHEAD` for each thread, they are done in the calling thread one after the other, on all
    cores that torch uses in it. Otherwise `threads` threads do one each; in them torch, and what asks it for its number
    of threads, uses one core. In all other threads that number stays what it is. The threads have ended when the
    iterator has: at its end, after an exception, or once it is closed.

    Args:
        function: may be called in several threads at once.
        items: taken in the calling thread, at most `AHEAD` for each thread before their results are taken.
        threads: how many; with 1 the calling thread does all.

    Raises:
        Exception: what `function` raises for an item, in the place of its result, or `items` as it is taken.
    """
    source = iter(items)
    first = list(islice(source, AHEAD * threads)) if threads > 1 else []
    if len(first) < AHEAD * threads:
        for item in chain(_emptied(first), source):
            yield function(item)
        return
    pool = ThreadPoolExecutor(threads, "cyano-job", initializer=_use_one_core)
    waiting: deque[Future[R]] = deque()
    try:
        for item in chain(_emptied(first), source):
            waiting.append(pool.submit(function, item))
            if len(waiting) >= AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _emptied(items: list[T]) -> Generator[T, None, None]:
    """The items, which the list does not keep."""
    items.reverse()
    while items:
        yield items.pop()


def _use_one_core() -> None:
    """Have torch use one core in this new thread, and in no other.

    `torch.set_num_threads` is for the thread that calls it, and for those that use torch for the first time after it.
    So a thread that does nothing else sets again what new ones had. One of somebody else's that begins within these
    microseconds uses one core as well.
    """
    with _SETTING:
        usual = torch.get_num_threads()  # first: at its first use a thread takes the number for new ones
        torch.set_num_threads(1)
        keeper = Thread(target=torch.set_num_threads, args=(usual,), name="cyano-threads")
        keeper.start()
        keeper.join()
