"""Where networks can run."""

from __future__ import annotations

import torch

from cyano.errors import InputError
from cyano.reading import reason_of

__all__ = ["usable_device"]


def usable_device(device: torch.device | str) -> torch.device:
    """The device of that name.

    Raises:
        InputError: there is none, or this machine does not have it.
    """
    try:
        return torch.zeros(0, dtype=torch.float32, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = reason_of(error)  # torch goes on for sixty lines
        raise InputError(f"device {str(device)!r} cannot be used: {reason}; 'cpu' always can") from error
