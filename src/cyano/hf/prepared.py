"""The fast forms of the networks, for models whose parameters may change at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Prepared", "runs_fast"]

Module = TypeVar("Module", bound=nn.Module)
Form = TypeVar("Form")


def runs_fast(module: nn.Module) -> bool:
    """Whether a model is used in a way that its fast form serves: inference on a CPU, without gradients."""
    parameter = next(module.parameters())
    known = parameter.device.type == "cpu" and parameter.dtype in (torch.float32, torch.bfloat16)
    return known and not module.training and not torch.is_grad_enabled()


class Prepared(Generic[Module, Form]):
    """A fast form that is made at first use, and again after any parameter has changed.

    Copies of a model (and pickles) start without one. One kind of change leaves no trace and is not seen: in
    place through `parameter.data`; change the parameter itself under `torch.no_grad()` instead.
    """

    def __init__(self, build: Callable[[Module, torch.dtype], Form]) -> None:
        self._build = build
        self._form: Form | None = None
        self._made_from: tuple[object, ...] = ()

    def of(self, module: Module) -> Form:
        """The fast form of the module as it is now."""
        tensors = [*module.parameters(), *module.buffers()]
        state = tuple((t.data_ptr(), t.dtype, _version(t)) for t in tensors)
        if self._form is None or state != self._made_from:
            self._form = self._build(module, tensors[0].dtype)
            self._made_from = state
        return self._form

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(self._build)

    def __reduce__(self) -> tuple[type[Self], tuple[Callable[[Module, torch.dtype], Form]]]:
        return type(self), (self._build,)


def _version(tensor: Tensor) -> float:
    """A number that changes with the values; tensors made under inference mode do not count their changes."""
    return float(tensor.sum(dtype=torch.float64)) if tensor.is_inference() else tensor._version
