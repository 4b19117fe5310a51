"""Processes that make data beside the one that trains."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from cyano.training.run.tuning import tune_process

__all__ = ["available_cores", "in_workers"]

_T_co = TypeVar("_T_co", covariant=True)

_AHEAD = 4
"""Items that each worker makes before they are asked for."""


def in_workers(work: Dataset[_T_co], order: Sequence[int], workers: int) -> DataLoader[_T_co]:
    """The items of `work` in this order, made by so many processes ahead of time; 0 makes them when asked for.

    Processes are started afresh and not forked: a fork of a process that has computed with several threads waits
    forever for threads that it does not have.
    """
    return DataLoader(
        work,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_one_thread,
    )


def _one_thread(_worker: int) -> None:
    """Give a worker one thread: workers share the cores with the network and would get into each other's way."""
    tune_process()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))
