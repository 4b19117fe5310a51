"""One process, or several that torchrun started: who is who, and how gradients meet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Processes"]


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: its number.
        count: how many there are.
        device: where it computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @classmethod
    @contextmanager
    def joined(cls, device: torch.device) -> Iterator[Processes]:
        """Join the group that torchrun describes in the environment; alone if there is none."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            yield cls(0, 1, device)
            return
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield cls(distributed.get_rank(), count, device)
        finally:
            distributed.destroy_process_group()

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes."""
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)
