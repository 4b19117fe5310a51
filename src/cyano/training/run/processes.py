"""One process, or several that torchrun started: who is who, how work is shared, and how gradients meet.

On a CPU a process for each core is faster than one with as many threads: threads wait for each other in every layer
(benchmarks/training.py).
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass, replace
from datetime import timedelta

import cv2
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from cyano.errors import InputError
from cyano.training.run.schedule import Schedule
from cyano.training.run.workers import available_cores

__all__ = ["Processes", "is_first_process"]

_PATIENCE = timedelta(days=1)
"""How long processes wait for each other: labelling ends at different times. torchrun ends all where one fails."""

_MOST_WORKERS = 4
"""Of a process that does not say how many: each holds photographs in memory."""


def is_first_process() -> bool:
    """Whether this is the process that writes files and speaks, as one that is alone does."""
    return _count() == 1 or os.environ["RANK"] == "0"


def _count() -> int:
    """How many processes torchrun started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: its number.
        count: how many there are.
        cores: processor cores for each of those on this machine.
        device: where it computes.
    """

    rank: int
    count: int
    cores: int
    device: torch.device

    @classmethod
    def joined(cls, device: torch.device) -> Processes:
        """Join the group that torchrun describes in the environment; alone if there is none.

        Stage after stage is in the same group: processes that leave one and meet anew may wait for each other forever.
        """
        count = _count()
        if count == 1:
            return cls(0, 1, available_cores(), device)
        cores = max(1, available_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if not distributed.is_initialized():
            torch.set_num_threads(cores)
            cv2.setNumThreads(cores)
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
            atexit.register(distributed.destroy_process_group)
        return cls(distributed.get_rank(), count, cores, device)

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes."""
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def share(self, schedule: Schedule) -> Schedule:
        """What of a schedule is this process's: its part of the batch, and how many workers make it.

        Raises:
            InputError: the batch cannot be divided.
        """
        if schedule.batch_size % self.count:
            raise InputError(
                f"batch_size {schedule.batch_size} cannot be divided among {self.count} processes; make it a multiple"
            )
        workers = min(self.cores - 1, _MOST_WORKERS) if schedule.workers is None else schedule.workers
        return replace(schedule, batch_size=schedule.batch_size // self.count, workers=workers)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()
