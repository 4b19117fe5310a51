"""Computing the same whatever a program has set: autocast, a default dtype, a default device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

import torch
from torch import Tensor

__all__ = ["CPU_FLOATS", "at_least_float32", "full_precision"]

CPU_FLOATS: Final[Mapping[str, Any]] = {"dtype": torch.float32, "device": "cpu"}
"""What a tensor of floats is made with that must not depend on torch's defaults, which belong to the program."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def full_precision(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A function that a surrounding `torch.autocast` leaves alone.

    Half precision rounds positions by pixels and is too coarse for the transport, so what decides on keypoints and
    matches does not follow it. At least one argument has to be a tensor; its device is the one that counts.
    """

    @wraps(function)
    def run(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> _Result:
        tensor = next(each for each in (*arguments, *keywords.values()) if isinstance(each, Tensor))
        with torch.autocast(tensor.device.type, enabled=False):
            return function(*arguments, **keywords)

    return run


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
