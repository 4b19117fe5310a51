"""Where networks can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyano.errors import InputError
from cyano.reading import reason_of

if TYPE_CHECKING:
    import torch

__all__ = ["usable_device"]


def usable_device(device: torch.device | str) -> torch.device:
    """The device of that name, if this machine has it.

    Raises:
        InputError: it has not.
    """
    import torch

    try:
        found = torch.zeros(0, dtype=torch.float32, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ImportError) as error:
        reason = reason_of(error)  # torch goes on for sixty lines
        raise InputError(f"device {str(device)!r} cannot be used: {reason}; 'cpu' always can") from error
    if found.type == "meta":
        raise InputError("device 'meta' cannot be used: it holds no values; 'cpu' always can")
    return found
