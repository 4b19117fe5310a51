"""Tensors on their way between a processor and its GPU, without either waiting for the other."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["upload"]


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; to an NVIDIA GPU by way of pinned memory, so that the program goes on meanwhile.

    The tensor must not be written to afterwards: on a CPU it comes back as it is.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
