"""Jobs in threads: order, laziness, errors, and that torch's threads are elsewhere what they were."""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from itertools import count

import pytest
import torch

from cyano.native import library
from cyano.parallel import AHEAD, in_order
from support.threads import jobs_left, of_a_new_thread, torch_threads

THREADS = 3


@pytest.fixture(autouse=True)
def _usual_number() -> Iterator[None]:
    """Four threads of torch's; afterwards nothing may have changed, and no thread be left."""
    with torch_threads(4):
        yield
        assert (torch.get_num_threads(), of_a_new_thread()) == (4, 4)
        assert jobs_left() == []


@pytest.mark.parametrize("number", [0, 1, 5, 6, 7, 50])
@pytest.mark.parametrize("threads", [1, 2, THREADS])
def test_results_have_the_order_of_the_items(number: int, threads: int) -> None:
    def slow_at_times(item: int) -> int:
        time.sleep(0.01 * (item % 3 == 0))
        return item * item

    assert list(in_order(slow_at_times, iter(range(number)), threads)) == [item * item for item in range(number)]


def test_so_many_are_done_at_once_each_on_one_core() -> None:
    together = threading.Barrier(THREADS)  # which breaks where fewer or more than so many wait
    seen = set()

    def job(_: int) -> tuple[int, int]:
        together.wait(timeout=60)
        seen.add(threading.current_thread().name)
        torch.ones(100, 100) @ torch.ones(100, 100)
        return torch.get_num_threads(), library.threads()

    for found in in_order(job, range(4 * THREADS), THREADS):
        assert found == (1, 1)
        assert (torch.get_num_threads(), of_a_new_thread()) == (4, 4)
    assert len(seen) == THREADS
    assert threading.current_thread().name not in seen


def test_a_few_are_done_by_the_calling_thread_with_all_cores() -> None:
    for items, threads in ((AHEAD * THREADS - 1, THREADS), (20, 1)):
        seen = list(in_order(lambda _: (threading.current_thread(), torch.get_num_threads()), range(items), threads))
        assert seen == [(threading.current_thread(), 4)] * items


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in count():
            taken.append((number, threading.current_thread()))
            yield number

    results = in_order(lambda item: item, items(), THREADS)
    assert taken == []
    for number, result in zip(range(30), results, strict=False):
        assert result == number
        assert len(taken) <= number + AHEAD * THREADS
    results.close()
    assert {thread for _, thread in taken} == {threading.current_thread()}


class _Thing:
    """Something that can be seen to be gone."""


def test_neither_items_nor_results_are_kept() -> None:
    alive: weakref.WeakSet[_Thing] = weakref.WeakSet()

    def made(_: object = None) -> _Thing:
        thing = _Thing()
        alive.add(thing)
        return thing

    results = in_order(made, (made() for _ in count()), THREADS)
    most = 0
    gc.freeze()  # what other tests have left need not be looked through a hundred times
    for _ in zip(range(100), results, strict=False):
        gc.collect()
        most = max(most, len(alive))
    results.close()
    gc.unfreeze()
    # An item or a result of each job in flight (in a thread both), one at hand here, and the last item taken.
    assert most <= AHEAD * THREADS + THREADS + 2


def test_an_exception_stands_in_its_place() -> None:
    def job(item: int) -> int:
        if item == 11:
            raise ValueError("eleven")
        return item

    results = in_order(job, count(), THREADS)
    assert [next(results) for _ in range(11)] == list(range(11))
    with pytest.raises(ValueError, match="eleven"):
        next(results)
    assert jobs_left() == []
    assert list(results) == []


def test_an_exception_of_the_items_is_passed_on() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise OSError("no more")

    found: list[int] = []
    with pytest.raises(OSError, match="no more"):
        found.extend(in_order(lambda item: item, items(), THREADS))
    assert jobs_left() == []


@pytest.mark.parametrize("how", ["close", "forget"])
def test_an_abandoned_iterator_ends_its_threads(how: str) -> None:
    done = []
    results = in_order(done.append, range(1000), THREADS)
    next(results)
    # Another thread may still be setting torch's number again.
    assert sum(name.startswith("cyano-job") for name in jobs_left()) == THREADS
    if how == "close":
        results.close()
    else:
        del results
    assert jobs_left() == []
    assert len(done) <= 1 + AHEAD * THREADS  # what waited was not begun


def test_an_interrupt_ends_it() -> None:
    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def job(item: int) -> int:
        if item == 7:
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.1)
        return item

    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in in_order(job, count(), THREADS):
                pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert jobs_left() == []


def test_threads_that_begin_together_leave_the_number_as_it_was() -> None:
    """Each reads torch's number for new threads and sets it again; in between it is another."""

    def caller() -> None:
        list(in_order(lambda item: item, range(20), THREADS))

    for _ in range(20):
        callers = [threading.Thread(target=caller) for _ in range(4)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
        assert of_a_new_thread() == 4


def test_a_caller_with_a_number_of_its_own_keeps_it() -> None:
    """Its number is 2, that of others stays 4."""
    numbers = []

    def caller() -> None:
        torch.get_num_threads()  # only after a first use does a thread keep what is set
        torch.set_num_threads(2)
        keeper = threading.Thread(target=torch.set_num_threads, args=(4,))
        keeper.start()
        keeper.join()
        list(in_order(lambda item: item, range(20), THREADS))
        numbers.append(torch.get_num_threads())

    thread = threading.Thread(target=caller)
    thread.start()
    thread.join()
    assert numbers == [2]
    assert of_a_new_thread() == 4
