"""The fast forms of the networks, for models whose parameters may change at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn

from cyano.models.as_built import is_as_built
from cyano.models.recording import is_recorded
from cyano.models.superglue import SuperGlue, SuperGlueConfig
from cyano.models.superpoint import SuperPoint, SuperPointConfig

__all__ = ["Prepared", "runs_fast"]

Module = TypeVar("Module", bound=nn.Module)
Form = TypeVar("Form")


def runs_fast(module: SuperPoint | SuperGlue, config: SuperPointConfig | SuperGlueConfig) -> bool:
    """Whether a model is used in a way that its fast form serves: inference on a CPU, without gradients, as built.

    Args:
        module: the model.
        config: what its network was built from.
    """
    parameter = next(module.parameters())
    known = parameter.device.type == "cpu" and parameter.dtype in (torch.float32, torch.bfloat16)
    if not known or module.training or torch.is_grad_enabled():
        return False
    # What is recorded or compiled are the modules; the fast form's operations are for this processor alone.
    return not (is_recorded() or torch.compiler.is_compiling()) and is_as_built(module, config)


class _Source(NamedTuple):
    """A tensor that a form was made from, and its values then.

    torch's counter of changes says nothing of those by way of `parameter.data` or of numpy, and is not kept under
    inference mode; comparing all values takes a hundredth of the time that a pair of images does.
    """

    tensor: Tensor
    values: Tensor

    @classmethod
    def of(cls, tensor: Tensor) -> _Source:
        return cls(tensor, tensor.detach().clone())

    def is_still(self, tensor: Tensor) -> bool:
        same = tensor is self.tensor and tensor.dtype == self.values.dtype and tensor.device == self.values.device
        return same and torch.equal(tensor.detach(), self.values)


class Prepared(Generic[Module, Form]):
    """A fast form that is made at first use, and again after any parameter has changed.

    Copies of a model (and pickles) start without one.
    """

    def __init__(self, build: Callable[[Module, torch.dtype], Form]) -> None:
        self._build = build
        self._form: Form | None = None
        self._made_from: list[_Source] = []

    def of(self, module: Module) -> Form:
        """The fast form of the module as it is now."""
        tensors = [*module.parameters(), *module.buffers()]
        known = len(tensors) == len(self._made_from)
        same = known and all(source.is_still(t) for source, t in zip(self._made_from, tensors, strict=True))
        if self._form is None or not same:
            self._form = self._build(module, tensors[0].dtype)
            self._made_from = [_Source.of(tensor) for tensor in tensors]
        return self._form

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(self._build)

    def __reduce__(self) -> tuple[type[Self], tuple[Callable[[Module, torch.dtype], Form]]]:
        return type(self), (self._build,)
