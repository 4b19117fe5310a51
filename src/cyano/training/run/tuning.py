"""Two settings of the process that make training on a CPU half as fast again (benchmarks/training.py)."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["tune_process"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Numbers of glibc's mallopt(3)."""


def tune_process() -> None:
    """Keep freed memory, and let waiting threads sleep; the latter has an effect only before torch is imported.

    Every step frees the same hundreds of megabytes that the next one asks for; given back to the system, their
    pages have to be zeroed and mapped again each time. And OpenMP's threads spin while they wait, on the cores that
    the workers want. What the environment says of either is left as it is.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
