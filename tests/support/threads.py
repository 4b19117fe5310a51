"""How many threads torch uses, here and in threads that begin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many for a while, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def of_a_new_thread() -> int:
    """How many threads torch uses in a thread that begins now."""
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]


def jobs_left() -> list[str]:
    """Threads of `cyano.parallel` that have not ended."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cyano")]
